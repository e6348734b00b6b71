"""Every objective at the same price: linear probe, nearest neighbours, fine-tuned, 100 labels.

    python benchmarks/objectives.py mnist fashion-mnist --out DIR [--minutes 2] [--draws 3]
        [--objective NAME ...] [--finetune-steps 600] [--size N] [--quick]
    python benchmarks/objectives.py --table benchmarks/objectives.json > docs/objectives.md

Each objective pre-trains the same network on one thread for --minutes of processor time, as many
steps as that buys (ten are timed first), so that a machine shared with others changes nothing.
Then, on the same draws of ten labels a class: logistic regression and five nearest neighbours on
frozen features, and fine-tuning; below them the same of an untrained network and of pixels, and
training from scratch. Accuracy on the test split, which chooses nothing. Each row is written to
DIR/objectives.json when it is done; rows that are there are not repeated.
"""

from __future__ import annotations

import argparse
import json
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

import headstart as hs
from common import QUIET
from headstart import backbones, modalities, objectives
from headstart.backbones.framed import Framed
from headstart.backbones.stepwise import Stepwise
from headstart.data import budget
from headstart.data.dataset import Dataset, Samples
from headstart.data.loader import Resident
from headstart.settings import Duration, Faults
from headstart.training.engine import Engine, place
from headstart.workflows import assemble
from headstart.workflows.config import DataConfig, PretrainConfig
from headstart.workflows.loaded import LoadedRun, load_run
from headstart.workflows.request import config_of, layered

PER_CLASS = 10
LOADED = {name: objectives.table.load(name) for name in objectives.table}
PICTURED = [  # pictures have no order in time
    name for name, cls in LOADED.items()
    if "continuous" in cls.reads and cls.needs not in {Framed, Stepwise}
]  # fmt: skip
SCALED_ON = 2_000  # samples of train, without labels, that features are standardised on
WARM, TIMED = 3, 10  # steps
MOST_DRAWS = 5
Features = dict[str, NDArray[Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="*")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--minutes", type=float, default=2.0, help="of processor time, each")
    parser.add_argument("--objective", nargs="*", default=PICTURED)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--finetune-steps", type=int, default=600)
    parser.add_argument("--size", type=int, help="side of the pictures, if not their own")
    parser.add_argument("--quick", action="store_true", help="seconds, one draw: does it run?")
    parser.add_argument("--table", type=Path, help="print the page of this JSON, and do no more")
    asked = parser.parse_args()
    if asked.table:
        print(page(json.loads(asked.table.read_text())), end="")
        return
    if asked.quick:
        asked.minutes, asked.draws, asked.finetune_steps = 0.02, 1, 20
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    for data in asked.data:
        for name in ("pixels", "from scratch", "untrained", *asked.objective):
            row(data, name, asked)
    print(table(read(asked.out / "objectives.json")))


def row(data: str, name: str, asked: argparse.Namespace) -> None:
    """Measure one row and write it down, if it is not there."""
    file = asked.out / "objectives.json"
    found = read(file)
    key = f"{Path(data).name}/{name}"
    if key in found["rows"]:
        return
    dataset = assemble.open_data(DataConfig(path=data))
    begun = time.process_time()
    figures: dict[str, Any] = {}
    if name == "pixels":
        figures = probed(pixels(dataset), dataset, asked.draws)
    elif name == "from scratch":
        figures = tuned(data, None, asked)
    else:
        run, steps = pretrained(data, name, asked)
        figures = {"steps": steps, "backbone": run.config["backbone"]["name"]}
        figures |= probed(features(load_run(run.path), dataset), dataset, asked.draws)
        if name != "untrained":
            figures |= tuned(data, run, asked)
    figures["processor_seconds"] = round(time.process_time() - begun, 1)
    found["rows"][key] = figures
    found["protocol"] = {
        "minutes": asked.minutes, "draws": asked.draws, "finetune_steps": asked.finetune_steps,
        "size": asked.size, "labels_per_class": PER_CLASS, "versions": assemble.versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    file.write_text(json.dumps(found, indent=1))
    print(key, json.dumps(figures), flush=True)


def pretrained(data: str, name: str, asked: argparse.Namespace) -> tuple[hs.Run, int]:
    """A run of as many steps as the budget buys; of one step at no rate for 'untrained'."""
    out = asked.out / f"{Path(data).name}-{name}"
    if name == "untrained":
        return train(data, "autoencoder", 1, out, asked, lr=1e-9), 0
    steps = max(2, round(60 * asked.minutes / seconds_a_step(data, name, asked)))
    return train(data, name, steps, out, asked), steps


def seconds_a_step(data: str, name: str, asked: argparse.Namespace) -> float:
    """Processor time of a step, over a few after the first."""
    raw = layered(preset(name), settings(asked), {"objective": {"name": name}}, [])
    config = config_of(PretrainConfig, raw)
    faults = Faults()
    chosen = assemble.component(objectives.table, config.objective, "", "objective", faults)
    part = assemble.component(modalities.table, config.modality, "image", "modality", faults)
    fit = assemble.fitting_backbones(chosen.cls.needs)
    usual = "conv" if "conv" in fit else fit[0]
    network = assemble.component(backbones.table, config.backbone, usual, "backbone", faults)
    faults.raise_if_any()
    dataset = assemble.open_data(DataConfig(path=data))
    few = dataset.train.take(np.arange(min(2_000, len(dataset.train))))
    modality = part.cls.fit(few, part.config)
    learner = chosen.cls(
        chosen.config, assemble.build_backbone(network, modality.spec, 0), modality.spec
    )
    place(learner, config.training)
    engine = Engine(
        learner, assemble.training_for(learner, config.training),
        Resident(modality.tensor(few)[0]), modality, duration=Duration(10_000, "steps"), seed=0,
        batch_size=assemble.batch_size_for(
            len(dataset.train), config.training.batch_size, learner.usual_batch
        ),
    )  # fmt: skip
    learner.train()
    for _ in range(WARM):
        engine.step()
    begun = time.process_time()
    for _ in range(TIMED):
        engine.step()
    return (time.process_time() - begun) / TIMED


def preset(name: str) -> str | None:
    """A game needs a small batch and quick moments; the others have their usual ones."""
    return "gan" if name == "gan" else None


def train(
    data: str, name: str, steps: int, out: Path, asked: argparse.Namespace, **more: Any
) -> hs.Run:
    """Pre-train; the last weights count, and nothing but steps is paid for."""
    return hs.pretrain(
        data, objective=name, steps=steps, out=out, overwrite=True, **QUIET, preset=preset(name),
        config=settings(asked), **more,
    )  # fmt: skip


def settings(asked: argparse.Namespace) -> Path:
    """What every run here shares."""
    size = {} if asked.size is None else {"modality": {"size": asked.size}}
    path = asked.out / "settings.yaml"
    path.write_text(json.dumps({"training": {"threads": 1}, **size}))  # JSON is YAML
    return path


def tuned(data: str, start: hs.Run | None, asked: argparse.Namespace) -> dict[str, list[float]]:
    """Test accuracy of fine-tuning from `start`, or from scratch, by draw."""
    path = asked.out / "finetune.yaml"
    size = {} if start or asked.size is None else {"modality": {"size": asked.size}}
    path.write_text(json.dumps({"training": {"threads": 1}, **size}))
    accuracies = []
    for draw in range(asked.draws):
        run = hs.finetune(
            data, start=start, labels_per_class=PER_CLASS, seed=draw, config=path,
            steps=asked.finetune_steps, out=asked.out / "tuned", overwrite=True, **QUIET,
        )  # fmt: skip
        accuracies.append(run.result["test"]["accuracy"])  # read before the next takes its folder
    return {"fine-tuned": accuracies}


def features(run: LoadedRun, dataset: Dataset) -> Features:
    """Features `[N, D]` of what is looked at."""
    return {
        name: run.embeddings(run.modality.tensor(samples)[0]).numpy()
        for name, samples in looked_at(dataset).items()
    }


def pixels(dataset: Dataset) -> Features:
    """Pixels in 0..1 `[N, H * W]` of what is looked at."""
    return {
        name: np.asarray(samples.inputs).reshape(len(samples), -1) / 255.0
        for name, samples in looked_at(dataset).items()
    }


def looked_at(dataset: Dataset) -> dict[str, Samples]:
    """Samples whose features are needed: some of train, every drawn label, and test."""
    return {
        "some": dataset.train.take(np.arange(min(SCALED_ON, len(dataset.train)))),
        "test": dataset.splits["test"],
        **{f"draw {i}": dataset.train.take(drawn(dataset, i)) for i in range(MOST_DRAWS)},
    }


def drawn(dataset: Dataset, draw: int) -> NDArray[np.intp]:
    """Rows of train whose labels are used: those that fine-tuning draws with this seed."""
    return budget.choose(
        dataset.train, classes=True, labels=None, per_class=PER_CLASS, seed=draw
    ).train


def probed(found: Features, dataset: Dataset, draws: int) -> dict[str, list[float]]:
    """Test accuracy of a linear probe and of nearest neighbours on the drawn labels, by draw."""
    scale = StandardScaler().fit(found["some"])
    test, truth = scale.transform(found["test"]), dataset.splits["test"].targets
    scores: dict[str, list[float]] = {"linear": [], "neighbours": []}
    for draw in range(draws):
        few, labels = scale.transform(found[f"draw {draw}"]), dataset.train.targets
        assert labels is not None
        own = labels[drawn(dataset, draw)]
        linear = LogisticRegression(C=0.1, max_iter=2_000).fit(few, own)
        near = KNeighborsClassifier(5, metric="cosine", weights="distance").fit(few, own)
        scores["linear"].append(float(linear.score(test, truth)))
        scores["neighbours"].append(float(near.score(test, truth)))
    return scores


def read(file: Path) -> dict[str, Any]:
    """What was measured so far."""
    found: dict[str, Any] = {"protocol": {}, "rows": {}}
    return json.loads(file.read_text()) if file.exists() else found


def table(found: dict[str, Any]) -> str:
    """A markdown table for each data set, the best fine-tuned first."""
    parts = []
    for data in dict.fromkeys(key.split("/")[0] for key in found["rows"]):
        rows = {k.split("/")[1]: r for k, r in found["rows"].items() if k.split("/")[0] == data}
        order = sorted(rows, key=lambda n: np.mean(rows[n].get("fine-tuned", [0.0])), reverse=True)
        lines = [
            f"## {data}\n", "| | steps | linear probe | k-NN | fine-tuned |",
            "| --- | --- | --- | --- | --- |",
            *(f"| {titled(n, rows[n])} | {rows[n].get('steps') or ''} | " + " | ".join(
                cell(rows[n].get(column)) for column in ("linear", "neighbours", "fine-tuned")
            ) + " |" for n in order),
        ]  # fmt: skip
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def titled(name: str, figures: dict[str, Any]) -> str:
    """A row's name, with its network where that is not the others'."""
    network = figures.get("backbone", "conv")
    return name if network == "conv" else f"{name} ({network})"


def cell(scores: list[float] | None) -> str:
    """Mean accuracy over draws, and how far the draws lie apart."""
    if not scores:
        return ""
    return f"{np.mean(scores):.1%} ± {np.std(scores):.1%}"


def page(found: dict[str, Any]) -> str:
    """The page of the documentation."""
    p = found["protocol"]
    size = f"reduced to {p['size']} pixels a side" if p["size"] else "as they are"
    text = (
        f"Accuracy on test from {10 * p['labels_per_class']} labels, ten a class: mean and"
        f" deviation of {p['draws']} draws. Each objective had {60 * p['minutes']:g} s of one"
        f" processor's time to pre-train the same network on pictures {size}; then"
        f" {p['finetune_steps']} steps of fine-tuning. Frozen features are judged by logistic"
        " regression and by five nearest neighbours on the same labels. The floors are pixels, an"
        f" untrained network's features, and training from scratch. Made {p['date']} by"
        " `benchmarks/objectives.py`; with another budget the order may be another."
    )
    return f"# Which objective?\n\n{textwrap.fill(text, 100)}\n\n{table(found)}\n"


if __name__ == "__main__":
    main()
