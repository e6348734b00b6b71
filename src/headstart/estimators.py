"""scikit-learn's faces: `Classifier`, `Regressor`, and `Encoder`, a transformer.

    encoder = Encoder().fit(everything)
    model = Classifier(start=encoder).fit(few, labels)

Rows of numbers `[N, F]` make a table, `[N, H, W]` and `[N, H, W, C]` pictures, strings `[N]`
texts, and a DataFrame with columns of other kinds a table of them. Nothing is left on disk: the
finished run lives in the estimator, as the bytes of its files.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart.api.run import Run
from headstart.data.arrays import as_inputs
from headstart.data.dataset import Dataset, Samples
from headstart.data.tabular import from_frame, is_frame
from headstart.data.texts import as_array
from headstart.runs.folder import RunFolder
from headstart.settings import merge
from headstart.workflows.answer import embed, predict
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.loaded import LoadedRun, load_run
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of

KEPT = ("config.yaml", "preprocessing.json", "result.json", "model.safetensors")
ALSO = "tokenizer.json"  # of texts


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What the three have in common: a run held as bytes."""

    def _keep(self, folder: Path) -> None:
        kept = [*KEPT, *([ALSO] if (folder / ALSO).exists() else [])]
        self.run_ = {name: (folder / name).read_bytes() for name in kept}

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
            self,
            x,
            reset=reset,
            allow_nd=True,
            dtype="numeric",
            ensure_min_samples=2 if reset else 1,
        )
        return checked

    def _dataset(self, x: Any, y: NDArray[Any] | None) -> Dataset:
        if is_frame(x):
            table = from_frame(x, features=list(x.columns))
            return table.with_splits({"train": replace(table.train, targets=y)})
        if isinstance(x, list):
            return Dataset("texts in memory", "text", {"train": Samples(as_array(x), y)})
        kind, array = as_inputs(x, "X")
        return Dataset("arrays in memory", kind, {"train": Samples(array, y)})

    def _settings(self) -> dict[str, Any]:
        raw: dict[str, Any] = {"seed": _seed(self.random_state), "data": {"path": "arrays"}}
        backbone = {"name": self.backbone} if isinstance(self.backbone, str) else self.backbone
        length = {} if self.steps is None else {"duration": f"{self.steps} steps"}
        training = merge(length, self.training or {})
        return {**raw, "backbone": dict(backbone or {}), "training": training}


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
    ) -> None:
        self.objective = objective
        self.backbone = backbone
        self.steps = steps
        self.training = training
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # features are float32, whatever came in
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's face
        """Pre-train on all of X `[N, ...]`; labels are not looked at."""
        x = self._x(X, reset=True)
        objective = self.objective
        named = {"name": objective} if isinstance(objective, str) else dict(objective or {})
        config = config_of(PretrainConfig, {**self._settings(), "objective": named})
        with tempfile.TemporaryDirectory() as place:
            with RunFolder.create(Path(place, "run"), resume=False, overwrite=False) as folder:
                pretrain(config, folder, dataset=self._dataset(x, None))
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
    ) -> None:
        self.start = start
        self.mode = mode
        self.backbone = backbone
        self.steps = steps
        self.training = training
        self.random_state = random_state

    def _fit(self, x: NDArray[Any], y: NDArray[Any]) -> Self:
        raw = {**self._settings(), "task": {"name": self._task}, "finetune": {"mode": self.mode}}
        with tempfile.TemporaryDirectory() as place:
            if isinstance(self.start, Encoder):
                check_is_fitted(self.start, "run_")
                raw["start"] = str(self.start._unpack(Path(place, "start")))
            elif self.start is not None:
                raw["start"] = str(self.start.path if isinstance(self.start, Run) else self.start)
            config = config_of(FinetuneConfig, raw)
            with RunFolder.create(Path(place, "run"), resume=False, overwrite=False) as folder:
                finetune(config, folder, dataset=self._dataset(x, y))
            self._keep(folder.path)
        return self

    def _pair(self, x: Any, y: Any, *, y_numeric: bool = False) -> tuple[Any, NDArray[Any]]:
        """Samples and targets, as many of either."""
        if (found := _as_read(x)) is None:
            return _checked(self, x, y, y_numeric=y_numeric)
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

    def fit(self, X: Any, y: Any) -> Self:
        """Fine-tune on X `[N, ...]` and classes y `[N]`."""
        x, y = self._pair(X, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("Classifier needs two classes; y holds one class.")
        return self._fit(x, codes)

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
    """Texts `[N]` as a list, and a frame that holds more than numbers as it is; else None."""
    if is_frame(x):
        numbers = all(getattr(kind, "kind", "O") in "uifb" for kind in x.dtypes)
        return None if numbers else x
    if getattr(x, "ndim", 1) == 1 and not isinstance(x, str) and hasattr(x, "__len__"):
        items = list(x)
        if items and all(isinstance(item, str) for item in items):
            return items
    return None


def _checked(
    estimator: _Predictor, x: Any, y: Any, *, y_numeric: bool = False
) -> tuple[NDArray[Any], NDArray[Any]]:
    checked: tuple[NDArray[Any], NDArray[Any]] = validate_data(
        estimator, x, y, allow_nd=True, dtype="numeric", y_numeric=y_numeric, ensure_min_samples=2
    )
    return checked


def _seed(random_state: Any) -> int:
    """scikit-learn's three kinds of random state → a seed."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    generator = random_state if random_state is not None else np.random.RandomState()
    return int(generator.randint(2**31 - 1))
