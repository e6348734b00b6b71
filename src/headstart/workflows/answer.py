"""Ask a finished run: how good is it on labelled data, what does it say of new samples."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.data.csvs import NO_TARGET, TargetError
from headstart.data.dataset import Dataset, Kind, Samples
from headstart.data.inputs import of_split, open_inputs
from headstart.data.records import SUFFIXES
from headstart.data.sources import FILES, is_plain, refuse
from headstart.data.splits import ensure_test
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.parts.learner import mean_scores
from headstart.runs.atomic import write_text, write_with
from headstart.tasks.frames import joined
from headstart.workflows import assemble, origin
from headstart.workflows.assemble import Say
from headstart.workflows.config import COLUMNS, DataConfig
from headstart.workflows.loaded import CHUNK, LoadedRun
from headstart.workflows.request import config_of
from headstart.workflows.sets import by_window, windows_of, word_by_word
from headstart.workflows.supply import Supply

EMBEDDING_FORMATS = (".npz", ".npy", ".csv")


@dataclass
class Answers:
    """What a run says of samples.

    names: of the samples, `[N]`; columns: the answer first, each `[N]`;
    skipped: names of samples that could not be read.
    """

    names: list[str]
    columns: dict[str, NDArray[Any]]
    skipped: list[str]


def evaluate(
    run: LoadedRun,
    data: DataConfig,
    *,
    split: str | None = None,
    copies: int = 0,
    dataset: Dataset | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """The task's figures on labelled samples; the objective's losses for a pre-training run.

    The test split is taken where there is one. On the very samples the run was trained on, the
    split that was set apart then is made again; any other source without splits counts whole.
    copies: weakly augmented ones of each sample, over which and itself answers are averaged.
    dataset: samples in memory; by default those that `data` names.

    Returns: with `warning` where samples that the run learned from are among these.

    Raises:
        UserError: the data do not suit the run, have no labels, or have a class it never saw.
    """
    _check_copies(run, copies)
    if dataset is None:
        dataset, own, _ = opened(run, data, judged=run.task is not None)
    else:
        _check_kind(run, dataset.kind, dataset.source)
        cut = _cut_as_learned(run, dataset)
        dataset, own = cut or dataset, cut is not None
    name = split or dataset.usual_split
    samples = of_split(dataset, name)
    if split is None and name != "test":
        say(f"{data.path} has no test split: all its samples are taken")
    warning = None if own and name == "test" else _flattered(run, samples, f"{data.path} ({name})")
    samples, modality = _judged(run, samples, name, data.path)
    with Supply({name: samples}, modality, data, seed=0, batch_size=CHUNK, say=say) as supply:
        figures = _figures(run, supply, name, copies)
        skipped = supply.skipped().get(name, [])
    warned = {} if warning is None else {"warning": warning}
    return {"data": data.path, "split": name, **warned, "skipped": skipped, **figures}


def _judged(run: LoadedRun, samples: Samples, name: str, path: str) -> tuple[Samples, Modality]:
    """Samples that a run can be judged by, and the modality that reads them as it learned them.

    Raises:
        UserError: it learned labels, and none of these has one.
    """
    if run.task is None:
        return windows_of(run.modality, {name: samples})[name], by_window(run.modality)
    samples = samples.take(np.flatnonzero(samples.has_label))
    if run.task.framewise:
        samples = word_by_word(run.modality, {name: samples})[name]
    if len(samples) == 0:
        raise UserError(
            f"the {name} split of {path} has no labels to compare with.",
            "Use headstart predict for samples without labels.",
        )
    return samples, run.modality


def _figures(run: LoadedRun, supply: Supply, name: str, copies: int) -> dict[str, Any]:
    """The task's figures on a split, or the losses of a pre-training run."""
    parts = (x for x, _ in supply.loaders[name].in_order(CHUNK))
    if run.task is None:
        return _losses(run, parts)
    outputs = joined([run.outputs(x, copies) for x in parts])
    targets = supply.readable(name).targets
    assert targets is not None
    return run.task.figures(outputs, run.task.encode(targets, name))


def predict(
    run: LoadedRun,
    inputs: str | Path | Sequence[str | Path] | NDArray[Any],
    *,
    split: str | None = None,
    on_bad: str = "fail",
    copies: int = 0,
    columns: Mapping[str, str] | None = None,
) -> Answers:
    """The label, and what more the task says, of each sample.

    columns: `config.COLUMNS` that are called otherwise than in what the run learned from.
    copies: weakly augmented ones of each sample, over which and itself answers are averaged.

    Raises:
        UserError: the run has learned no labels, or the inputs cannot be read.
    """
    _ = run.supervised
    _check_copies(run, copies)
    samples = _asked(run, inputs, split, columns or {})
    outputs, samples, skipped = _said(run, lambda x: run.outputs(x, copies), samples, on_bad)
    assert run.task is not None
    said = run.task.columns(outputs)
    return Answers([samples.name(i) for i in range(len(samples))], said, skipped)


def embed(
    run: LoadedRun,
    inputs: str | Path | Sequence[str | Path] | NDArray[Any],
    *,
    split: str | None = None,
    on_bad: str = "fail",
    columns: Mapping[str, str] | None = None,
) -> Answers:
    """The encoder's features of each sample, one column `embedding` `[N, D]`, targets if known."""
    samples = _asked(run, inputs, split, columns or {})
    features, samples, skipped = _said(run, run.embeddings, samples, on_bad)
    said: dict[str, NDArray[Any]] = {"embedding": features.numpy()}
    if samples.targets is not None and bool(samples.has_label.all()):
        said["target"] = samples.targets
    return Answers([samples.name(i) for i in range(len(samples))], said, skipped)


def write_predictions(path: Path, answers: Answers) -> None:
    """A CSV file: `name`, the answer, what more there is."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["name", *answers.columns])
    columns = [_as_text(values) for values in answers.columns.values()]
    rows.writerows(zip(answers.names, *columns, strict=True))
    write_text(path, text.getvalue())


def write_embeddings(path: Path, answers: Answers) -> None:
    """`.npz` (embedding, name, target), `.npy` (the matrix alone) or `.csv`, by the suffix."""
    check_embedding_path(path)
    matrix = answers.columns["embedding"]
    if path.suffix == ".csv":
        wide = {f"embedding_{i}": matrix[:, i] for i in range(matrix.shape[1])}
        rest = {name: v for name, v in answers.columns.items() if name != "embedding"}
        write_predictions(path, Answers(answers.names, {**wide, **rest}, answers.skipped))
        return

    def write(temporary: Path) -> None:
        # An open file keeps NumPy from adding a suffix of its own to the temporary name.
        with temporary.open("wb") as file:
            if path.suffix == ".npy":
                np.save(file, matrix)
            else:
                columns = {"name": np.array(answers.names), **answers.columns}
                # Objects would be pickled, which nobody should have to load.
                texts = {n: v.astype(str) for n, v in columns.items() if v.dtype.kind == "O"}
                arrays: dict[str, Any] = {**columns, **texts}
                np.savez(file, **arrays)

    write_with(path, write)


def check_embedding_path(path: Path) -> None:
    """Raises:
    UserError: nobody writes files of that suffix.
    """
    if path.suffix not in EMBEDDING_FORMATS:
        raise UserError(f"--out {path}: embeddings are written as {', '.join(EMBEDDING_FORMATS)}.")


def _as_text(values: NDArray[Any]) -> list[str]:
    """Of numbers the fewest digits that tell them from all others of their type."""
    return [str(value) for value in values]


class Opened(NamedTuple):
    """A data set that a run is asked about.

    own: whether these are the samples that it learned from, cut as it cut them.
    read: how they were read, what nobody said as the run's were.
    """

    dataset: Dataset
    own: bool
    read: DataConfig


def open_for(run: LoadedRun, data: DataConfig) -> Dataset:
    """The data set, read as the run's was where nothing else is said.

    Its splits are as the run made them, if it is what the run learned from.
    """
    return opened(run, data).dataset


def own_data(run: LoadedRun) -> DataConfig:
    """What the run learned from, its paths as they are from any folder."""
    return origin.learned_from(run.config, run.result)


def is_own(run: LoadedRun, path: str) -> bool:
    """Whether a path or name is of what the run learned from."""
    own = own_data(run).path
    return path == own or Path(path).expanduser().resolve() == Path(own).expanduser().resolve()


def opened(run: LoadedRun, data: DataConfig, *, judged: bool = False) -> Opened:
    """As `open_for`, and what is to be known of it.

    judged: whether answers are to be compared with targets, which must be there then.
    """
    learned = own_data(run)
    if run.modality.state()["modality"] == "series":  # which a modality's name may have said
        learned = replace(learned, kind="series")
    if own := is_own(run, data.path):
        usual = {"layout": "auto", "on_bad": "fail"}
        given = {n: v for n, v in vars(data).items() if v is not None and v != usual.get(n)}
        # The split that was made then is made again, whatever seed the question comes with.
        read = replace(learned, **{**given, "split_seed": learned.split_seed})
        dataset = assemble.open_data(read, labels=run.task is not None)
    else:
        dataset, read = _other(_as_learned(data, learned), data, judged=judged)
        cut = _cut_as_learned(run, dataset)
        dataset, own = cut or dataset, cut is not None
        if own:
            read = replace(read, split_seed=learned.split_seed)
    _check_kind(run, dataset.kind, data.path)
    return Opened(dataset, own, read)


def _as_learned(data: DataConfig, learned: DataConfig) -> DataConfig:
    """Other data are read as those that were learned from, in what applies to such a source."""
    path = Path(data.path).expanduser()
    kept: dict[str, Any] = {}
    if path.suffix.lower() in FILES:
        kept = {name: getattr(learned, name) for name in (*COLUMNS, "group", "kind")}
    elif path.suffix.lower() == ".npz":
        kept = {"kind": learned.kind}
    if not is_plain(data.path):
        kept["target"] = learned.target
    if learned.kind == "series":
        kept["kind"] = "series"
    if data.layout == "auto":
        kept["layout"] = learned.layout
    unsaid = {n: v for n, v in kept.items() if n == "layout" or getattr(data, n) is None}
    return replace(data, **unsaid)


def _other(data: DataConfig, asked: DataConfig, *, judged: bool) -> tuple[Dataset, DataConfig]:
    """Data that a run did not learn from, and how they were read in the end.

    They need not tell what belongs together, nor targets where nothing is judged by them, unless
    somebody asked for it.
    """
    spare = ["group"] if judged else ["group", "target"]
    spare = [n for n in spare if getattr(asked, n) is None and getattr(data, n) is not None]
    for name in spare:
        try:
            return assemble.open_source(data, to_learn=False), data
        except UserError:  # of something else it is raised again
            data = replace(data, **{name: None})  # type: ignore[arg-type]
    try:
        return assemble.open_source(data, to_learn=False), data
    except TargetError:  # several columns could be the target, as in `data.inputs`
        if judged or asked.target is not None:
            raise
        data = replace(data, target=NO_TARGET)
        return assemble.open_source(data, to_learn=False), data


def _cut_as_learned(run: LoadedRun, dataset: Dataset) -> Dataset | None:
    """Samples that the run learned from, found at another place, cut as they were then.

    None if they are others: the cut would not have all that is known of train in train.
    """
    columns = origin.columns_of(run.modality)
    if "test" in dataset.splits or "train" not in dataset.splits or len(dataset.train) < 5:
        return None
    if not origin.found_again(run.result, dataset.train, columns):
        return None
    made = ensure_test(dataset, own_data(run).split_seed)
    shares = [origin.found_again(run.result, made.splits[n], columns) for n in ("train", "test")]
    return made if shares == [1.0, 0.0] else None


def _flattered(run: LoadedRun, samples: Samples, what: str) -> str | None:
    """A warning where samples that the run learned from are to be judged by."""
    share = origin.found_again(run.result, samples, origin.columns_of(run.modality))
    if share is None or share < origin.SHARE:
        return None
    return (
        f"{share:.0%} of the training samples that were looked at are among {what}: the run knows"
        " their answers, and the figures flatter it. Judge by samples that it never saw."
    )


def _asked(
    run: LoadedRun,
    inputs: str | Path | Sequence[str | Path] | NDArray[Any],
    split: str | None,
    columns: Mapping[str, str],
) -> Samples:
    """The samples that are asked about.

    Raises:
        UserError: they cannot be found, or are of another kind than what the run learned from.
    """
    own: Kind = run.modality.state()["modality"]
    features = origin.columns_of(run.modality)
    named = str(inputs) if isinstance(inputs, str | Path) else None
    if features or named is None or Path(named).suffix.lower() not in SUFFIXES:
        refuse(named or "samples in memory", **columns)
    if split is not None and named is not None and is_own(run, named):
        made = _made(run, config_of(DataConfig, {"path": named, **columns}))
        if made is not None:
            return of_split(made, split)
    learned = {**run.config.get("data", {}), **columns}
    samples, kind = open_inputs(inputs, split, own, learned, features=features)
    _check_kind(run, kind, named or "the input")
    return samples


def _made(run: LoadedRun, data: DataConfig) -> Dataset | None:
    """What a run learned from in the splits that it made; None where that cannot be read as then:
    it may have lost its targets, which nobody asks for.
    """
    try:
        return open_for(run, data)
    except UserError:
        return None


def _said(
    run: LoadedRun, ask: Callable[[torch.Tensor], torch.Tensor], samples: Samples, on_bad: str
) -> tuple[torch.Tensor, Samples, list[str]]:
    """What `ask` says of all samples `[N, ...]`, the readable ones, and names of the others."""
    data = config_of(DataConfig, {"on_bad": on_bad})
    with Supply({"input": samples}, run.modality, data, seed=0, batch_size=CHUNK) as supply:
        said = [ask(x) for x, _ in supply.loaders["input"].in_order(CHUNK)]
        return joined(said), supply.readable("input"), supply.skipped().get("input", [])


def _check_copies(run: LoadedRun, copies: int) -> None:
    if copies < 0:
        raise UserError(f"--tta must be 0 or more, not {copies}.")
    if copies:
        _ = run.supervised
        torch.default_generator.manual_seed(0)  # the same question, the same answer


def _check_kind(run: LoadedRun, kind: Kind, what: str) -> None:
    own = run.modality.state()["modality"]
    if kind != own:
        hints = ["If it has a column of texts, name it: --text-column."] if own == "text" else []
        raise UserError(
            f"{run.folder.path} learned from data of kind '{own}'; {what} is '{kind}'.", *hints
        )


@torch.no_grad()
def _losses(run: LoadedRun, parts: Iterable[torch.Tensor]) -> dict[str, Any]:
    """What the objective says of unlabelled samples, always with the same draws."""
    torch.default_generator.manual_seed(0)
    figures, count = mean_scores(run.learner, (run.judged(part) for part in parts))
    return {**figures, "n": count}
