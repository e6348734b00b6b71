"""scikit-learn's faces: `Classifier`, `Regressor`, and `Encoder`, a transformer.

    encoder = Encoder().fit(everything)
    model = Classifier(start=encoder).fit(few, labels)

Rows of numbers `[N, F]` make a table, `[N, H, W]` and `[N, H, W, C]` pictures, strings `[N]`
texts or files of pictures and recordings, and a frame with columns of other kinds a table of them;
`kind="series"` makes series of `[N, T]` and `[N, C, T]`. Nothing is left on disk: the finished run
lives in the estimator, as the bytes of its files.

All three take `set`, any setting by its dotted name, as `{"training.ema": 0.99}`, and say on stderr
how it goes where `verbose` is asked for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart.api.run import Run
from headstart.data.dataset import Dataset, Kind
from headstart.data.frames import as_table, is_frame
from headstart.data.held import dataset_of
from headstart.runs.folder import RunFolder
from headstart.settings import merge
from headstart.training.display import progress_display, speaker
from headstart.workflows.answer import embed, predict
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.loaded import LoadedRun, load_run
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of, layered

KEPT = ("config.yaml", "preprocessing.json", "result.json", "model.safetensors")
ALSO = "tokenizer.json"  # of texts
Config = TypeVar("Config", PretrainConfig, FinetuneConfig)


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What the three have in common: a run held as bytes."""

    def _keep(self, folder: Path) -> None:
        kept = [*KEPT, *([ALSO] if (folder / ALSO).exists() else [])]
        self.run_ = {name: (folder / name).read_bytes() for name in kept}

    @contextmanager
    def _begun(self, place: Path) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
        """The run's folder, and what shows and says how it goes."""
        quiet = not self.verbose
        with (
            RunFolder.create(place, resume=False, overwrite=False) as folder,
            progress_display(quiet=quiet) as display,
        ):
            yield folder, {"display": display, "say": speaker(quiet=quiet)}

    def _unpack(self, folder: Path) -> Path:
        folder.mkdir()
        for name, content in self.run_.items():
            (folder / name).write_bytes(content)
        return folder

    def _loaded(self) -> LoadedRun:
        check_is_fitted(self, "run_")
        with tempfile.TemporaryDirectory() as place:
            return load_run(self._unpack(Path(place, "run")))

    def _x(self, x: Any, *, reset: bool) -> Any:
        if (found := _as_read(x)) is not None:
            validate_data(self, x, reset=reset, skip_check_array=True)
            return found
        checked: NDArray[Any] = validate_data(
            self, x, reset=reset, ensure_min_samples=2 if reset else 1, **self._checks()
        )
        return checked

    def _checks(self) -> dict[str, Any]:
        """What scikit-learn is to ask of arrays; series may have gaps."""
        finite = "allow-nan" if self.kind == "series" else True
        return {"allow_nd": True, "dtype": "numeric", "ensure_all_finite": finite}

    def _dataset(
        self, x: Any, y: NDArray[Any] | None = None, known: NDArray[np.bool_] | None = None
    ) -> Dataset:
        dataset = dataset_of(x, kind=self.kind)
        labelled = None if known is None or known.all() else known
        return dataset.with_splits({"train": replace(dataset.train, targets=y, labelled=labelled)})

    def _settings(self) -> dict[str, Any]:
        raw: dict[str, Any] = {"seed": _seed(self.random_state), "data": {"path": "arrays"}}
        backbone = {"name": self.backbone} if isinstance(self.backbone, str) else self.backbone
        length = {} if self.steps is None else {"duration": f"{self.steps} steps"}
        training = merge(length, self.training or {})
        return {**raw, "backbone": dict(backbone or {}), "training": training}

    def _config(self, cls: type[Config], raw: dict[str, Any]) -> Config:
        return config_of(cls, layered(None, None, raw, self.set))


class Encoder(TransformerMixin, _Estimator):  # type: ignore[misc]
    """Learns features from unlabelled samples; `transform` gives them.

    objective, backbone: a name, or settings with a "name"; None: what suits the kind of data.
    steps: of training; None: as many as `headstart pretrain` takes.
    training: further settings of the engine, as `{"lr": 1e-3}`.
    """

    def __init__(
        self,
        objective: str | dict[str, Any] | None = None,
        *,
        backbone: str | dict[str, Any] | None = None,
        steps: int | None = None,
        training: dict[str, Any] | None = None,
        random_state: int | None = 0,
        kind: Kind | None = None,
        set: dict[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.objective = objective
        self.backbone = backbone
        self.steps = steps
        self.training = training
        self.random_state = random_state
        self.kind = kind
        self.set = set
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # features are float32, whatever came in
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's face
        """Pre-train on all of X `[N, ...]`; labels are not looked at."""
        x = self._x(X, reset=True)
        objective = self.objective
        named = {"name": objective} if isinstance(objective, str) else dict(objective or {})
        config = self._config(PretrainConfig, {**self._settings(), "objective": named})
        with tempfile.TemporaryDirectory() as place:
            with self._begun(Path(place, "run")) as (folder, heard):
                pretrain(config, folder, dataset=self._dataset(x), **heard)
            self._keep(folder.path)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """The encoder's features, `[N, D]`."""
        run = self._loaded()
        features: NDArray[np.float32] = embed(run, self._x(X, reset=False)).columns["embedding"]
        return features


class _Predictor(_Estimator):
    """Fine-tunes, from a fitted Encoder or from scratch."""

    _task: str

    def __init__(
        self,
        start: Encoder | Run | str | Path | None = None,
        *,
        mode: str = "staged",
        backbone: str | dict[str, Any] | None = None,
        steps: int | None = None,
        training: dict[str, Any] | None = None,
        random_state: int | None = 0,
        kind: Kind | None = None,
        set: dict[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.start = start
        self.mode = mode
        self.backbone = backbone
        self.steps = steps
        self.training = training
        self.random_state = random_state
        self.kind = kind
        self.set = set
        self.verbose = verbose

    def _fit(
        self, x: Any, y: NDArray[Any], known: NDArray[np.bool_] | None = None, rest: Any = None
    ) -> Self:
        """Fine-tune on x and y where they are `known`, and on `rest`, samples without labels."""
        raw = {**self._settings(), "task": {"name": self._task}, "finetune": {"mode": self.mode}}
        known = np.ones(len(y), dtype=bool) if known is None else known
        if rest is not None:
            rest = self._x(rest, reset=False)
            x, y = _joined(x, rest), np.concatenate([y, np.zeros(len(rest), y.dtype)])
            known = np.concatenate([known, np.zeros(len(rest), dtype=bool)])
        dataset = self._dataset(x, y, known)
        if not known.all():
            # Nobody knows a change of a row of numbers that means nothing: VAT looks for its own.
            rows = dataset.kind == "table" and not dataset.train.inputs.dtype.names  # type: ignore[union-attr]
            raw["unlabelled"] = "vat" if rows else "self-train"
        with tempfile.TemporaryDirectory() as place:
            if isinstance(self.start, Encoder):
                check_is_fitted(self.start, "run_")
                raw["start"] = str(self.start._unpack(Path(place, "start")))
            elif self.start is not None:
                raw["start"] = str(self.start.path if isinstance(self.start, Run) else self.start)
            config = self._config(FinetuneConfig, raw)
            with self._begun(Path(place, "run")) as (folder, heard):
                finetune(config, folder, dataset=dataset, **heard)
            self._keep(folder.path)
        return self

    def _pair(self, x: Any, y: Any, *, y_numeric: bool = False) -> tuple[Any, NDArray[Any]]:
        """Samples and targets, as many of either."""
        if (found := _as_read(x)) is None:
            checked: tuple[Any, NDArray[Any]] = validate_data(
                self, x, y, y_numeric=y_numeric, ensure_min_samples=2, **self._checks()
            )
            return checked
        validate_data(self, x, skip_check_array=True)
        targets = column_or_1d(y, warn=True)
        check_consistent_length(x, targets)
        return found, targets

    def _columns(self, x: Any) -> dict[str, NDArray[Any]]:
        run = self._loaded()
        return predict(run, self._x(x, reset=False)).columns


class Classifier(ClassifierMixin, _Predictor):  # type: ignore[misc]
    """One of several classes.

    start: a fitted `Encoder`, a pre-trained run or its folder, or None: from scratch.
    mode: "staged", "full", "frozen" or "lora"; backbone: where there is no start.
    steps, training, random_state: as in `Encoder`.
    """

    _task = "classification"

    def fit(self, X: Any, y: Any, unlabelled: Any = None) -> Self:
        """Fine-tune on X `[N, ...]` and classes y `[N]`, and on samples without a class.

        These are those of `unlabelled`, and those whose y is -1 beside two or more classes from 0
        upwards (-1 and 1 alone are two classes). They teach by self-training, rows of numbers by
        virtual adversarial training; `set={"self_training.share": 0.1}` sets either.
        """
        x, y = self._pair(X, y)
        known = _known(y)
        check_classification_targets(y[known])
        self.classes_, codes = np.unique(y[known], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("Classifier needs two classes; y holds one class.")
        targets = np.zeros(len(y), codes.dtype)
        targets[known] = codes
        return self._fit(x, targets, known, unlabelled)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each of `classes_`, `[N, K]`."""
        columns = self._columns(X)
        probabilities = [v for name, v in columns.items() if name.startswith("probability_")]
        stacked: NDArray[np.float64] = np.column_stack(probabilities).astype(np.float64)
        return stacked

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each sample, `[N]`."""
        check_is_fitted(self, "run_")
        answers: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return answers


class Regressor(RegressorMixin, _Predictor):  # type: ignore[misc]
    """One number a sample; arguments as in `Classifier`."""

    _task = "regression"

    def fit(self, X: Any, y: Any) -> Self:
        """Fine-tune on X `[N, ...]` and numbers y `[N]`."""
        x, y = self._pair(X, y, y_numeric=True)
        return self._fit(x, y.astype(np.float64))

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The number of each sample, `[N]`."""
        return self._columns(X)["prediction"]


def _as_read(x: Any) -> Any:
    """Texts or files `[N]` as a list, a frame that holds more than numbers as it is; else None."""
    if is_frame(x):
        kinds = getattr(x, "dtypes", [None])
        numbers = all(getattr(kind, "kind", "O") in "uifb" for kind in kinds)
        return None if numbers else x
    if getattr(x, "ndim", 1) == 1 and not isinstance(x, str) and hasattr(x, "__len__"):
        items = list(x)
        if items and all(isinstance(item, str | os.PathLike) for item in items):
            return items
    return None


def _known(y: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of y `[N]` are labels, as scikit-learn's semi-supervised estimators have it."""
    others = np.unique(y[y != -1]) if y.dtype.kind == "i" else y[:0]
    if len(others) >= 2 and others[0] >= 0:
        known: NDArray[np.bool_] = y != -1
        return known
    return np.ones(len(y), dtype=bool)


def _joined(x: Any, rest: Any) -> Any:
    """Samples, and behind them others of their kind."""
    if is_frame(x):
        import pyarrow as pa

        return pa.concat_tables([as_table(x), as_table(rest)], promote_options="permissive")
    return [*x, *rest] if isinstance(x, list) else np.concatenate([x, rest])


def _seed(random_state: Any) -> int:
    """scikit-learn's three kinds of random state → a seed."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    generator = random_state if random_state is not None else np.random.RandomState()
    return int(generator.randint(2**31 - 1))
