"""A model card: `README.md` with the metadata that the Hugging Face hub reads.

Format: Mitchell et al., 2019 (arXiv:1810.03993), as huggingface_hub's ModelCard has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from headstart.runs.atomic import write_text
from headstart.runs.folder import RunFolder

TASKS = {
    ("image", "classification"): "image-classification",
    ("text", "classification"): "text-classification",
    ("text", "tagging"): "token-classification",
    ("table", "classification"): "tabular-classification",
    ("table", "regression"): "tabular-regression",
    ("audio", "classification"): "audio-classification",
    ("audio", "transcription"): "automatic-speech-recognition",
}
ENCODERS = {"image": "image-feature-extraction"}
FIGURES = {
    "accuracy": "accuracy", "macro_f1": "f1", "f1": "f1", "mse": "mse", "mae": "mae",
    "rmse": "rmse", "r2": "r_squared", "wer": "wer", "cer": "cer",
}  # fmt: skip


def write_card(path: str | Path) -> Path:
    """Write `README.md` into a finished run's folder; returns its path.

    Raises:
        UserError: there is no finished run at `path`.
    """
    folder = RunFolder.open(path)
    config, result = folder.read_config(), folder.read_json(folder.result)
    card = folder.path / "README.md"
    head = yaml.safe_dump(metadata(folder.path.name, config, result), sort_keys=False)
    write_text(card, f"---\n{head}---\n\n" + "\n".join(_body(folder.path.name, config, result)))
    return card


def metadata(name: str, config: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """The head of the card."""
    kind = config.get("modality", {}).get("name", "")
    task = str(result.get("task") or "")
    about = TASKS.get((kind, task)) or (None if task else ENCODERS.get(kind, "feature-extraction"))
    made_of = str(config.get("backbone", {}).get("source", ""))
    found: dict[str, Any] = {
        "library_name": "headstart",
        "tags": ["headstart", kind, str(result.get("objective", task))],
    }
    if about:
        found["pipeline_tag"] = about
    if made_of.count("/") == 1 and not made_of.startswith((".", "/", "~")):
        found["base_model"] = made_of.partition("@")[0]
    test = result.get("test") or {}
    metrics = [
        {"type": kind_, "name": own, "value": test[own]}
        for own, kind_ in FIGURES.items()
        if isinstance(test.get(own), int | float)
    ]
    if metrics and task:
        data = _data(result)
        found["metrics"] = list(dict.fromkeys(m["type"] for m in metrics))
        results = {
            "task": {"type": about or f"{kind}-{task}"},  # the hub has no name for all
            "dataset": {"name": data, "type": data, "split": "test"},
            "metrics": metrics,
        }
        found["model-index"] = [{"name": name, "results": [results]}]
    return found


def _body(name: str, config: dict[str, Any], result: dict[str, Any]) -> Iterator[str]:
    yield f"# {name}\n"
    yield from _what(config, result)
    yield "## Use it\n"
    yield '```python\nimport headstart as hs\n\nrun = hs.load("path/to/this/folder")'
    ask = "run.predict" if result.get("task") else "run.embed"
    yield f"print({ask}(inputs))  # a folder, a file, a list, an array or a frame\n```\n"
    yield from _figures(result)
    yield "## How it was made\n"
    start = f" from the run `{Path(str(result['start'])).name}`" if result.get("start") else ""
    yield (
        f"{result['steps']:,} steps of {result['batch_size']}{start},"
        f" {result['seconds']:.0f} s; seed {config.get('seed', 0)}. Every setting is in"
        " `config.yaml`, every figure in `result.json`, the training in `progress.jsonl`.\n"
    )
    versions = ", ".join(f"{n} {v}" for n, v in result.get("versions", {}).items())
    yield f"Made with {versions}.\n"
    yield from _limits(result)


def _what(config: dict[str, Any], result: dict[str, Any]) -> Iterator[str]:
    backbone = str(config.get("backbone", {}).get("name", ""))
    if backbone.startswith("hub:"):
        backbone = f"hub:{'/'.join(backbone.removeprefix('hub:').split('/')[-2:])}"
    kind = config.get("modality", {}).get("name", "samples")
    if result.get("task"):
        labels = f"{result['labels']:,} labels of {_data(result)}"
        yield f"A `{backbone}` network for {result['task']} ({kind}), fine-tuned on {labels}.\n"
    else:
        yield (
            f"An encoder (`{backbone}`, {kind}), pre-trained without labels by"
            f" `{result.get('objective')}` on {_data(result)}.\n"
        )


def _figures(result: dict[str, Any]) -> Iterator[str]:
    test = result.get("test") or {}
    rows = [(n, v) for n, v in test.items() if isinstance(v, int | float) and n != "n"]
    if not rows:
        return
    yield f"## Figures on {test.get('n', '?')} test samples, read once\n"
    yield "| figure | value |\n| --- | --- |"
    for name, value in rows:
        yield f"| {name} | {value:.4g} |"
    yield ""


def _limits(result: dict[str, Any]) -> Iterator[str]:
    yield "## What to mind\n"
    yield "It has seen nothing but the data above: on other data, measure it first.\n"
    for finding in result.get("health", {}).get("findings", []):
        yield f"- {finding['name']}: {finding['message']}"


def _data(result: dict[str, Any]) -> str:
    """The last part of a path: where it lay is nobody's business."""
    return Path(str(result.get("data", "data"))).name or "data"
