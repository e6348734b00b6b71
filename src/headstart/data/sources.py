"""From what the user typed to a Dataset: a name, a folder, a manifest, a table, texts or arrays."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from headstart.data.dataset import Dataset, Kind
from headstart.data.listing import PICTURES, RECORDINGS
from headstart.data.named_table import NAMED
from headstart.data.series import Layout
from headstart.errors import UserError, nearest

__all__ = ["NAMED", "open_dataset"]

READ_TODAY = (
    "Read today: a folder of pictures or of recordings, a folder of IDX files, a .csv, .jsonl or"
    " .parquet that lists files of either, .parquet and .arrow with a column of pictures, a folder"
    " that Hugging Face's save_to_disk wrote, WebDataset .tar files (train-{000..099}.tar, or"
    " their folder), .txt (a text a line), a folder of .txt files, tables (.csv, .tsv, .jsonl,"
    " .parquet; of texts with --text-column), .conll files, .jsonl and .parquet with lists of"
    " tokens and tags, series (lists of numbers in .jsonl and .parquet; .csv with --kind series or"
    f" --series-column), .npz arrays, and the names {', '.join(NAMED)}."
)
TEXT = ".txt"
FILES = (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")
READ_FILES = (*FILES, TEXT, ".conll", ".bio", ".iob")
LATER = (".json",)


def open_dataset(
    source: str,
    *,
    target: str | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    file_column: str | None = None,
    text_column: str | None = None,
    series_column: str | None = None,
    time_column: str | None = None,
    kind: Kind | None = None,
    layout: Layout = "auto",
    group: str | None = None,
    to_learn: bool = True,
) -> Dataset:
    """The samples of `source`, in the splits it has.

    source: a name from `NAMED`, a folder or a file (see `READ_TODAY`). A name wins over a path that
        is spelled the same; `./mnist` means the path.
    target: the column (or array) that holds the targets.
    train, validation, test: a folder or file inside `source`, or a path, that is that split.
    file_column: the column of a manifest that names the files.
    text_column: the column of a table that holds the texts.
    series_column: of a table with a row a step, the column that names the series.
    time_column: what the steps of a series are in order of.
    kind: of the samples, where a file could hold several.
    layout: of series of several channels.
    group: the column that says which samples belong together (see `Samples`).
    to_learn: whether 'train' must be among the splits.

    Raises:
        UserError: there is no such source, nobody reads it, or something in it is wrong.
    """
    given = {"train": train, "validation": validation, "test": test}
    named = {split: value for split, value in given.items() if value is not None}
    columns = _Columns(file_column, text_column, series_column, time_column, group, kind, layout)
    dataset = replace(_read(source, target, named, columns), source=source)
    if to_learn:
        check_to_learn(dataset)
    return dataset


def check_to_learn(dataset: Dataset) -> None:
    """Raises:
    UserError: a data set has no samples of train.
    """
    if "train" not in dataset.splits:
        raise UserError(
            f"{dataset.source} has samples of {', '.join(dataset.splits)} only, none to train on.",
            "Say what to train on with --train.",
        )


def _read(source: str, target: str | None, named: dict[str, str], columns: _Columns) -> Dataset:
    separators = [os.sep, *([os.altsep] if os.altsep else [])]
    if source in NAMED and not any(separator in source for separator in separators):
        refuse("a named data set", target=target, **columns.given, **named)
        from headstart.data.named import read_named

        return read_named(source)
    from headstart.data.tars import is_tar_source, read_tars

    if is_tar_source(source):
        refuse("tar files", **columns.given)
        return read_tars(source, target, named)
    path = _existing(source)
    if path.is_dir():
        return _folder(path, target, named, columns)
    return _file(path, target, named, columns)


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table hold what, as far as the user said so."""

    file: str | None
    text: str | None
    series: str | None
    time: str | None
    group: str | None
    kind: Kind | None
    layout: Layout

    @property
    def given(self) -> dict[str, str | None]:
        """By option."""
        return {
            "file_column": self.file,
            "text_column": self.text,
            "series_column": self.series,
            "time_column": self.time,
            "group": self.group,
        }


def is_plain(source: str) -> bool:
    """Whether a source has no columns of which one could be named as the target."""
    if source in NAMED or Path(source).suffix.lower() in (TEXT, *READ_FILES[-3:]):
        return True
    from headstart.data.idx import is_idx_folder
    from headstart.data.words import conll_files

    path = Path(source).expanduser()
    return path.is_dir() and (is_idx_folder(path) or bool(conll_files(path)))


def _existing(source: str) -> Path:
    try:
        path = Path(source).expanduser()
        if source.strip() and path.exists():
            return path
        parent = path.parent
        beside = [str(p) for p in parent.iterdir()] if parent.is_dir() else []
    except (OSError, ValueError, RuntimeError) as error:  # name too long, NUL in it, no such home
        raise UserError(f"{source!r} cannot be read: {error}.") from error
    if not source.strip():
        raise UserError("no data were named.", READ_TODAY)
    guess = nearest(source, [*NAMED, *beside])
    hints = [f"Did you mean {guess}?"] if guess else []
    raise UserError(f"{source} is no file or folder, nor a data set's name.", *hints, READ_TODAY)


def _folder(path: Path, target: str | None, named: dict[str, str], columns: _Columns) -> Dataset:
    try:
        with os.scandir(path) as entries:
            empty = next(iter(entries), None) is None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
    if empty and not named:
        raise UserError(f"the folder {path} is empty.", READ_TODAY)
    from headstart.data.arrow import is_saved_dataset, read_saved_dataset
    from headstart.data.idx import is_idx_folder, read_idx_folder

    if is_saved_dataset(path):
        refuse("a saved data set, which has its splits", **columns.given, **named)
        return read_saved_dataset(path, target)
    if is_idx_folder(path):
        refuse("a folder of IDX files", target=target, **columns.given)
        return read_idx_folder(path, named)
    paths = {split: _inside(path, split, value) for split, value in named.items()}
    tables = [split for split, part in paths.items() if part.is_file()]
    if tables:
        return _manifests(path, paths, target, columns)
    from headstart.data.texts import holds_texts, read_text_folder
    from headstart.data.words import conll_files, read_conll

    if not paths and (found := conll_files(path)):
        refuse("a folder of CoNLL files", target=target, **columns.given)
        return read_conll(found, str(path))
    if holds_texts(path):
        refuse("a folder of texts", **columns.given)
        return read_text_folder(path, target, paths)
    from headstart.data.folders import holds_recordings, read_folder

    sought = RECORDINGS if holds_recordings(path) else PICTURES
    refuse(f"a folder of {sought.noun}", **{**columns.given, "group": None})
    return read_folder(path, target, paths, sought, columns.group)


def _manifests(
    path: Path, paths: dict[str, Path], target: str | None, columns: _Columns
) -> Dataset:
    """A folder whose splits are named as files."""
    for split, part in paths.items():
        if part.suffix.lower() not in READ_FILES or not part.is_file():
            raise UserError(
                f"--{split} names {part}, which is no {', '.join(READ_FILES)} file, though"
                " another split is.",
                "Name folders for all splits, or files for all.",
            )
    if "train" not in paths:
        raise UserError(f"splits of {path} are files: name one with --train too.")
    return _listed(paths, target, columns)


def _listed(paths: dict[str, Path], target: str | None, columns: _Columns) -> Dataset:
    """Files, one for each split, that hold pictures, texts or columns, or list pictures."""
    from headstart.data import words

    train, file_column = paths["train"], columns.file
    if columns.kind == "series" or columns.series or columns.time:
        refuse("series", file_column=file_column, text_column=columns.text, group=columns.group)
        return _series(paths, target, columns)
    if any(part.suffix.lower() in words.CONLL for part in paths.values()):
        refuse("a CoNLL file", target=target, **columns.given)
        return words.read_conll(paths, str(train))
    if words.holds_lists(train, columns.text):
        refuse("a column of words", file_column=file_column)
        return words.read_lists(paths, columns.text, target, str(train))
    if any(part.suffix.lower() == TEXT for part in paths.values()):
        return _plain_texts(paths, target, columns)
    if columns.text is not None:
        from headstart.data.texts import read_text_column

        refuse("a column of texts", file_column=file_column, group=columns.group)
        return read_text_column(paths, columns.text, target)
    if train.suffix.lower() in (".parquet", ".arrow"):
        from headstart.data.arrow import has_pictures, read_picture_files

        if train.suffix.lower() == ".arrow" or (file_column is None and has_pictures(train)):
            refuse("a column of pictures", file_column=file_column, group=columns.group)
            return read_picture_files(paths, target)
    from headstart.data.series_files import holds_lists
    from headstart.data.table_files import lists_files
    from headstart.data.tabular import grouped, read_tables

    if columns.kind is None and file_column is None and holds_lists(train):
        return _series(paths, target, columns)

    if file_column is None and not lists_files(train):
        return grouped(read_tables(paths, target), columns.group)
    from headstart.data.manifest import read_manifest

    others = {split: part for split, part in paths.items() if split != "train"}
    return read_manifest(train, target, file_column, others, columns.group)


def _series(paths: dict[str, Path], target: str | None, columns: _Columns) -> Dataset:
    """Tables of series, one for each split."""
    from headstart.data.series_files import read_series_files

    return read_series_files(paths, target, columns.series, columns.time)


def _plain_texts(paths: dict[str, Path], target: str | None, columns: _Columns) -> Dataset:
    """Files of a text a line, one for each split."""
    from headstart.data.texts import read_lines

    for split, part in paths.items():
        if part.suffix.lower() != TEXT:
            raise UserError(
                f"--{split} names {part}, which is no {TEXT} file, though another split is.",
                "Name .txt files for all splits.",
            )
    refuse("a text a line", target=target, **columns.given)
    return read_lines(paths, str(paths["train"]))


def _file(path: Path, target: str | None, named: dict[str, str], columns: _Columns) -> Dataset:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        refuse("an .npz file, whose arrays name their splits", **columns.given, **named)
        from headstart.data.npz import read_npz

        return read_npz(path, target, kind=columns.kind, layout=columns.layout)
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder.", READ_TODAY)
    if suffix in READ_FILES:
        if "train" in named:
            raise UserError(f"{path} is the train split already: leave --train out.")
        others = {split: _inside(path.parent, split, value) for split, value in named.items()}
        return _listed({"train": path, **others}, target, columns)
    if suffix in RECORDINGS.suffixes:
        raise UserError(
            f"{path} is one recording: name its folder, or a .csv that lists files.",
            "headstart predict takes a single recording.",
        )
    when = f"{suffix} files are not read yet" if suffix in LATER else "nobody reads such files"
    raise UserError(f"{path}: {when}.", READ_TODAY)


def _inside(root: Path, split: str, value: str) -> Path:
    """What a split's name stands for: a part of the source, or else a path of its own."""
    for candidate in (root / value, Path(value).expanduser()):
        if candidate.exists():
            return candidate
    beside = [entry.name for entry in root.iterdir()] if root.is_dir() else []
    guess = nearest(value, beside)
    hint = [f"Did you mean {guess}?"] if guess else []
    raise UserError(f"--{split} {value}: neither {root / value} nor {value} exists.", *hint)


def refuse(what: str, **options: str | None) -> None:
    """Refuse options that mean nothing here: better than to leave them unheard.

    Raises:
        UserError: one was given.
    """
    for name, value in options.items():
        if value is not None:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} {value} does not apply to {what}: leave it out.")
