"""What many runs are made for: whether pre-training pays, which settings, which labels."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.api.given import Data, Named, named, opened, path_of, path_only, raw_of
from headstart.api.run import Run
from headstart.settings import Settings, merge
from headstart.training.display import speaker
from headstart.workflows.config import DataConfig, FinetuneConfig
from headstart.workflows.request import config_of, layered, nest

if TYPE_CHECKING:
    from headstart.study.recommend import Recommendation

AnyRun = Run | str | Path


class Comparison:
    """A finished comparison in its folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def result(self) -> dict[str, Any]:
        """What `comparison.json` holds: methods, comparisons, costs, the verdict."""
        found: dict[str, Any] = json.loads((self.path / "comparison.json").read_text("utf-8"))
        return found

    def report(self) -> Path:
        """Write `report.html` again; returns its path."""
        from headstart.study import compare

        return compare.report(self.path)

    @property
    def verdict(self) -> str:
        """What it says, in words."""
        said = self.result["verdict"]
        return " ".join([said["headline"], *said["sentences"]])

    def __repr__(self) -> str:
        return f"Comparison({str(self.path)!r}, {self.result['verdict']['headline']!r})"


def compare(
    data: str | Path | None = None,
    *,
    out: str | Path,
    labels: int | str | Sequence[int | str] = (),
    seeds: int | None = None,
    objective: str | Sequence[str] = (),
    start: AnyRun | Sequence[AnyRun] = (),
    task: Named | None = None,
    backbone: Named | None = None,
    workers: int = 1,
    config: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    verbose: bool = True,
    **settings: Any,
) -> Comparison:
    """Whether pre-training pays on `data`: many runs on the same draws of labels.

    Goes on with what `out` holds already. labels: budgets, or "all", by default 10, 100 and 1000;
    seeds: draws of each, by default 3.
    objective: ways to pre-train, by default the one that suits the data; start: finished runs.
    settings: steps, minutes, pretrain_steps, pretrain_minutes, metric, baselines, pretrain,
        finetune, device, or how the data are read: target, text_column, ...
    config: a compare.yaml; set: any setting of it, as `{"finetune.training.ema": 0.99}`. verbose:
        say on stderr how it goes.

    Raises:
        UserError: settings or data are wrong, or `out` holds another comparison.
    """
    from headstart.study.board import board_for
    from headstart.study.compare import compare as work
    from headstart.study.config import CompareConfig

    own = _own(CompareConfig, settings)
    runs = [start] if isinstance(start, AnyRun) else list(start)
    raw = {
        **own,
        "data": {
            **nest(DataConfig, settings),
            **({} if data is None else {"path": path_only(data, "compare")}),
        },
    }
    asked = {
        "labels": [labels] if isinstance(labels, int | str) else list(labels),
        "seeds": seeds,
        "objectives": [objective] if isinstance(objective, str) else list(objective),
        "start": [_place(run) for run in runs],
        "task": named(task),
        "backbone": named(backbone),
    }
    raw |= {name: value for name, value in asked.items() if value not in (None, [], {})}
    whole = config_of(CompareConfig, layered(None, path_of(config), raw, set))
    with board_for(quiet=not verbose) as board:
        work(whole, Path(out), workers=workers, board=board)
    return Comparison(out)


class Tuning:
    """A search over settings in its folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def result(self) -> dict[str, Any]:
        """What `result.json` holds: the best trial, what it changed, what mattered."""
        found: dict[str, Any] = json.loads((self.path / "result.json").read_text("utf-8"))
        return found

    @property
    def best(self) -> Path:
        """The best settings, for `finetune(config=...)`."""
        return self.path / "best.yaml"

    @property
    def best_pretraining(self) -> Path:
        """Of a search with an `objective`, the settings for `pretrain(config=...)` before it."""
        return self.path / "best-pretraining.yaml"

    @property
    def page(self) -> Path:
        """How the search went, to look at."""
        return self.path / "report.html"

    def report(self) -> Path:
        """Write `report.html` again; returns its path."""
        from headstart.study import tuning

        return tuning.report(self.path)

    def __repr__(self) -> str:
        found = self.result
        best = "" if found["best"] is None else f", {found['metric']}={found['best']:.4f}"
        return f"Tuning({str(self.path)!r}{best})"


def tune(
    data: Data = None,
    *,
    out: str | Path,
    minutes: float | None = None,
    start: AnyRun | None = None,
    task: Named | None = None,
    backbone: Named | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    preset: str | None = None,
    config: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    verbose: bool = True,
    **settings: Any,
) -> Tuning:
    """Search for better settings of a fine-tuning than the defaults, by validation.

    Goes on with the search that `out` holds already; several processes with the same one share it.
    minutes: no trial begins later. start, ..., set: of every trial, as in `finetune`; what is
    given is not varied. epochs, steps: length of each training.
    settings: trials, folds, objective, pretrain_steps, prune, search; or any flag of
        `headstart finetune`: labels, labels_per_class, seed, target, ...
    verbose: say on stderr how it goes.

    Raises:
        UserError: settings or data are wrong, or `out` holds another search.
    """
    from headstart.study.tuning import tune as work
    from headstart.study.tuning_config import SEARCH, TuneConfig

    own = _own(TuneConfig, settings)
    parts = {"task": named(task), "backbone": named(backbone)}
    flags = raw_of(FinetuneConfig, data, settings, parts, (epochs, steps, None))
    if start is not None:
        flags["start"] = _place(start)
    raw = layered(preset, path_of(config), flags, set)
    how = config_of(TuneConfig, merge(raw.pop(SEARCH, {}), own))
    whole = config_of(FinetuneConfig, raw)
    say = speaker(quiet=not verbose)
    with opened(data, whole.data, whole.modality) as dataset:
        work(whole, Path(out), how, minutes=minutes, dataset=dataset, say=say)
    return Tuning(out)


def label(
    run: AnyRun,
    data: str | Path,
    *,
    count: int,
    out: str | Path | None = None,
    rule: str = "auto",
    known: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    **settings: Any,
) -> list[str]:
    """Names of the samples of train to label first, the most telling one first.

    run: a pre-trained or fine-tuned run, in whose features samples are compared.
    out: a labels file to fill in, for `finetune(labels_from=...)`.
    rule: "covering", "typical", "far", "random", "margin" or "entropy"; auto: typical, or margin
        where the run answers classes. known: a labels file of samples that are labelled already.
    settings: how the data are read: target, text_column, ...

    Raises:
        UserError: data or rule do not suit the run, there are fewer samples, or `out` exists.
    """
    from headstart.study.labelling.choose import choose_labels, vacant, write_list
    from headstart.workflows.loaded import load_run

    place = None if out is None else vacant(Path(out))
    raw = {**nest(DataConfig, settings), "path": path_only(data, "label")}
    config = config_of(DataConfig, raw)
    names, _ = choose_labels(
        load_run(_place(run), device), config, count, rule=rule, known=path_of(known), seed=seed
    )
    if place is not None:
        write_list(place, names)
    return names


def recommend(
    data: str | Path, *, minutes: float = 2.0, verbose: bool = True, **settings: Any
) -> Recommendation:
    """What to begin with on `data`, and why: objectives are tried for `minutes` in all.

    settings: how the data are read: target, text_column, ... verbose: say on stderr how it goes.

    Returns: reasons, commands, the objective, network and length, and `config`, settings for
        `pretrain(config=...)` once they are written as YAML.

    Raises:
        UserError: the data cannot be read, or no objective suits them.
    """
    from headstart.study.recommend import recommend as work

    raw = {**nest(DataConfig, settings), "path": path_only(data, "recommend")}
    return work(config_of(DataConfig, raw), minutes=minutes, say=speaker(quiet=not verbose))


def _own(cls: type[Settings], settings: dict[str, Any]) -> dict[str, Any]:
    """Those of `settings` that `cls` has, taken out of them."""
    names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return {name: settings.pop(name) for name in list(settings) if name in names}


def _place(run: AnyRun) -> str:
    return str(run.path if isinstance(run, Run) else run)
