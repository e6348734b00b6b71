"""Search for better settings than the defaults: `headstart tune`.

The first trial is the defaults. Every trial is judged by validation out of the label budget, in
turns where labels are few; the test split is set aside before anything is fitted. Repeating the
command goes on with the search; several at once share it.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.data.dataset import Dataset
from headstart.errors import InterruptedRunError, UserError
from headstart.runs.atomic import write_json, write_text
from headstart.settings import as_plain, merge
from headstart.settings.files import read_yaml, to_yaml
from headstart.study import tuning_found, tuning_page
from headstart.study import tuning_spaces as spaces
from headstart.study.tuning_config import ASKED, SEARCH, TuneConfig, check
from headstart.study.tuning_journal import Journal
from headstart.study.tuning_page import RESULT
from headstart.study.tuning_question import parts_of, same_question
from headstart.study.tuning_spaces import Knob
from headstart.study.tuning_trial import Bench, LaggingError, folds
from headstart.training.optimisers import USUAL_LR, USUAL_LR_OTHERS
from headstart.workflows import assemble
from headstart.workflows.assemble import Say
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.request import config_of

if TYPE_CHECKING:
    import optuna

TRIALS = 30
BEST, TABLE = "best.yaml", "trials.csv"
BEST_PRETRAINING, PRETRAINED = "best-pretraining.yaml", "pretrained"


def tune(
    config: FinetuneConfig,
    out: Path,
    how: TuneConfig,
    *,
    minutes: float | None = None,
    dataset: Dataset | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Search in the folder `out`, or go on with the search in it; returns its `result.json`.

    config: what every trial starts from; what it sets is not varied.
    minutes: no trial begins later than this.

    Raises:
        UserError: settings or data are wrong, or `out` holds something else.
        InterruptedRunError: a signal came; the search can be gone on with.
    """
    check(minutes)
    begun = time.monotonic()
    search = _prepared(config, out, how, dataset)
    most = how.trials or (TRIALS if minutes is None else 10**9)
    there = len(search.journal.trials())
    say(
        f"{most:,} trials" if how.trials or minutes is None else f"trials for {minutes:g} minutes"
        f"{f', {there:,} of them there already' if there else ''}"
        f", {len(search.knobs)} settings vary, {len(search.bench.folds)} trainings a trial"
    )  # fmt: skip
    while True:
        in_time = minutes is None or time.monotonic() - begun < 60 * minutes
        with search.journal.next(most, fresh=in_time) as trial:
            if trial is None:
                break
            search.run(trial, say)
    result = search.summary()
    tuning_page.build(out)
    return result


def report(folder: Path) -> Path:
    """Gather what is there, of an unfinished search too, and write its page; returns its path.

    Where the data cannot be read any more, the page shows what was gathered before.

    Raises:
        UserError: `folder` is no search, or nothing is known of it.
    """
    if not tuning_page.is_search(folder):
        raise UserError(f"{folder} is no search: it has no {ASKED}.")
    raw = read_yaml(folder / ASKED)
    how = config_of(TuneConfig, raw.pop(SEARCH, {}))
    try:
        _prepared(config_of(FinetuneConfig, raw), folder, how, None).summary()
    except UserError:
        if not (folder / RESULT).exists():
            raise
    return tuning_page.build(folder)


@dataclass
class Search:
    """A search at work: its trials, how they are judged, and what is kept of them.

    about: what it is about, for people; pretraining: how long each trial's takes.
    """

    out: Path
    base: dict[str, Any]
    bench: Bench
    journal: Journal
    knobs: Sequence[Knob]
    direction: str
    rates: dict[str, float]
    about: dict[str, Any]
    objective: dict[str, Any] | None = None
    pretraining: str = ""

    def run(self, trial: optuna.Trial, say: Say) -> None:
        """Try one trial's settings, and keep what came of it."""
        begun = time.monotonic()
        changed = self.changes(trial.params)
        place = self.journal.place(trial.number)
        value, why = None, ""
        try:
            before, settings = self.configs(changed)
            value = self.bench.value(trial, settings, place, lambda _: None, before)
        except LaggingError:
            pass
        except UserError as error:
            if trial.number == 0:  # what nobody changed is wrong: a mistake, not a bad trial
                raise
            why = error.message
        except InterruptedRunError as error:
            raise InterruptedRunError(error.exit_code - 128, str(self.out)) from error
        trial.set_user_attr("seconds", time.monotonic() - begun)
        self.journal.tell(trial, value, why=why)
        with self.journal.alone():
            self.keep_best()
        say(self._line(trial.number, value, why, changed))

    def changes(self, params: dict[str, Any]) -> dict[str, Any]:
        """The settings of a trial that are not the default."""
        return spaces.changes(self.knobs, self.journal.values(params), self.rates)

    def configs(self, changed: dict[str, Any]) -> tuple[PretrainConfig | None, FinetuneConfig]:
        """The pre-training, if trials begin with one, and the fine-tuning of a trial."""
        raw = merge(self.base, {n: part for n, part in changed.items() if n != "objective"})
        config = config_of(FinetuneConfig, raw)
        if self.objective is None:
            return None, config
        start = {
            "data": raw["data"],
            "modality": raw["modality"],
            "backbone": raw["backbone"],
            "objective": merge(self.objective, changed.get("objective", {})),
            "training": {"duration": self.pretraining, "device": config.training.device},
            "seed": config.seed,
        }
        return config_of(PretrainConfig, start), config

    def best(self) -> optuna.trial.FrozenTrial | None:
        """The best trial; of equals the first, which had the fewest to beat."""
        done = self.journal.done()
        sign = 1.0 if self.direction == "maximize" else -1.0
        return max(done, key=lambda t: (sign * (t.value or 0.0), -t.number), default=None)

    def keep_best(self) -> None:
        """Write the best settings so far."""
        best = self.best()
        if best is not None:
            before, config = self.configs(self.changes(best.params))
            if before is not None:
                start = self.out / PRETRAINED
                write_text(self.out / BEST_PRETRAINING, to_yaml(as_plain(before)))
                config = replace(config, start=str(start), backbone={}, modality={})
            raw = as_plain(config)
            about = f"# trial {best.number}: validation {self.bench.metric} {best.value:.4f}\n"
            write_text(self.out / BEST, about + to_yaml(raw))

    def summary(self) -> dict[str, Any]:
        """What was found; written as `result.json` and `trials.csv`."""
        trials, best = self.journal.trials(), self.best()
        by_number = {t.number: t for t in self.journal.done()}
        counts, shares = tuning_found.counts(trials), self.importance()
        result = {
            "status": "done" if not counts["running"] else "running elsewhere",
            "command": "tune",
            "data": self.base["data"]["path"],
            "metric": self.bench.metric,
            "direction": self.direction,
            "folds": len(self.bench.folds),
            "trials": counts,
            "default": None if 0 not in by_number else by_number[0].value,
            "best": None if best is None else best.value,
            "best_trial": None if best is None else best.number,
            "changed": {} if best is None else dict(spaces.leaves(self.changes(best.params))),
            "importance": shares,
            "seconds": sum(t.user_attrs.get("seconds", 0.0) for t in trials),
            "config": str(self.out / BEST),
            "commands": self._commands(),
            "about": self.about,
            "varied": tuning_found.varied(self.knobs, shares),
            "tried": tuning_found.tried(self.journal, len(self.bench.folds), self.changes),
            "versions": assemble.versions(),
        }
        write_json(self.out / RESULT, result)
        write_text(self.out / TABLE, self._table(trials))
        return result

    def _commands(self) -> list[str]:
        """What trains with the best settings."""
        last = f"headstart finetune --config {quote(str(self.out / BEST))} --out RUN"
        if self.objective is None:
            return [last]
        first = f"headstart pretrain --config {quote(str(self.out / BEST_PRETRAINING))}"
        return [f"{first} --out {quote(str(self.out / PRETRAINED))}", last]

    def importance(self) -> dict[str, float]:
        """Share of the spread of values that each setting explains; {} where too little is known.

        By functional ANOVA (Hutter et al., ICML 2014) on the trials that ran to the end.
        """
        done = self.journal.done()
        if len(done) < 4 or len(self.knobs) < 2 or float(np.ptp([t.value for t in done])) == 0.0:
            return {}
        import optuna

        judge = optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = optuna.importance.get_param_importances(self.journal.study, evaluator=judge)
        return {name: float(share) for name, share in found.items()}

    def _line(self, number: int, value: float | None, why: str, changed: dict[str, Any]) -> str:
        if value is None:
            said = f"cannot be trained ({why})" if why else "ended early"
        else:
            said = f"{self.bench.metric} {value:.4f}"
        turned = ", ".join(f"{name} {_short(v)}" for name, v in spaces.leaves(changed))
        return f"  trial {number}: {said}; {turned or 'the defaults'}"

    def _table(self, trials: Sequence[optuna.trial.FrozenTrial]) -> str:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        names = [knob.name for knob in self.knobs]
        rows.writerow(["trial", "state", self.bench.metric, "seconds", *names])
        for t in trials:
            seconds = f"{t.user_attrs.get('seconds', 0.0):.1f}"
            shown = ["" if name not in t.params else _short(t.params[name]) for name in names]
            value = "" if t.value is None else f"{t.value:.6g}"
            rows.writerow([t.number, t.state.name.lower(), value, seconds, *shown])
        return text.getvalue()


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _prepared(
    config: FinetuneConfig, out: Path, how: TuneConfig, dataset: Dataset | None
) -> Search:
    """The search that the settings ask for; what is wrong with them is said before a trial."""
    config = replace(config, training=replace(config.training, log=(), profile=False))
    dataset = dataset or assemble.open_data(config.data, config.modality)
    # From here on nobody sees the test split.
    splits = {n: s for n, s in dataset.splits.items() if n != "test"}
    dataset = replace(dataset, splits=splits, task=assemble.task_for(dataset).name)
    parts = parts_of(config, dataset, how)
    cuts = folds(config, dataset, how.folds, classes=parts.task.cls.classes_apart)
    few = cuts[0].train
    known = few.take(np.flatnonzero(few.has_label)).targets
    task = parts.task.cls(parts.task.config, 1, parts.task.cls.fit(parts.task.config, known))
    knobs = spaces.knobs(parts.ranges, how.search, parts.defaults, parts.given)
    if not knobs:
        raise UserError(
            "there is nothing to vary: every setting was given.",
            "Give fewer settings, or ranges of your own with --search.",
        )
    base = as_plain(config)
    same_question(out, {**base, SEARCH: as_plain(how)})
    direction = "maximize" if task.direction == "max" else "minimize"
    journal = Journal(out, knobs, seed=config.seed, direction=direction, prune=how.prune)
    lr, optimizer = config.training.lr, config.training.optimizer
    usual = USUAL_LR.get(optimizer.lower(), USUAL_LR_OTHERS) if lr is None else lr
    rates = {name: USUAL_LR.get(name, USUAL_LR_OTHERS) for name in _optimizers(knobs)}
    about = {
        "kind": dataset.kind,
        "samples": len(dataset.train),
        "labels": sum(int(s.has_label.sum()) for s in cuts[0].splits.values()),
        "task": parts.task.name,
        "backbone": parts.backbone,
        "given": parts.given,
    }
    return Search(
        out, base, Bench(cuts, task.metric), journal, knobs, direction,
        {"": usual, **rates}, about, parts.objective, f"{how.pretrain_steps} steps",
    )  # fmt: skip


def _optimizers(knobs: Sequence[Knob]) -> list[str]:
    ranges = [k.range for k in knobs if k.name == "training.optimizer"]
    return [v for r in ranges if isinstance(r, spaces.Choice) for v in r.values]
