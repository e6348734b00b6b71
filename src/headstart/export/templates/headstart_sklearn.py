"""A model that headstart exported, as a scikit-learn estimator; no pickle, no PyTorch.

    import sys; sys.path.insert(0, "model/")
    from headstart_sklearn import load
    estimator = load()
    estimator.predict(X), estimator.predict_proba(X), estimator.transform(X)

X: texts; rows as dicts or a DataFrame; pictures as [N, H, W], [N, H, W, C] or flat [N, F] of 0 to
255; names of recordings; series as [N, C, T], or [N, T] of one channel; or raw samples as
`model.onnx` takes them. It is fitted already: `fit` leaves it as it is.
"""

from pathlib import Path

import numpy as np
from headstart_model import Model
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin

HERE = Path(__file__).resolve().parent


class _Exported(TransformerMixin, BaseEstimator):
    def __init__(self, folder=str(HERE)):
        self.folder = folder

    def fit(self, X=None, y=None):
        """Nothing: it has learned."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __getstate__(self):
        return {"folder": self.folder}

    def outputs(self, X):
        """Everything that the model says, by name."""
        return self._model(self._raw(X))

    def transform(self, X):
        """The encoder's features, [N, D]."""
        return self.outputs(X)["features"]

    @property
    def _model(self):
        if "_kept" not in self.__dict__:
            self._kept = Model(self.folder)
        return self._kept

    def _raw(self, X):
        model = self._model
        if hasattr(X, "to_dict"):
            rows = X.astype(object).where(X.notna(), None).to_dict("records")
            return model.table(rows)
        if model.kind == "text" and not (isinstance(X, np.ndarray) and X.dtype.kind == "i"):
            return model.texts(X)
        if len(X) and isinstance(X[0], dict):
            return model.table(X)
        if model.kind == "series":
            return model.series(X)
        x = np.asarray(X)
        if model.kind == "audio" and x.dtype.kind in "UO":
            return model.sounds(X)
        if model.kind != "image":
            return x
        channels, (height, width) = model.about["input"]["channels"], model.about["input"]["size"]
        if x.shape[1:] != (channels, height, width):
            shape = (height, width) if channels == 1 else (height, width, channels)
            x = x.reshape(len(x), *shape)
            x = x[:, None] if channels == 1 else x.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(np.clip(np.round(x), 0, 255).astype(np.uint8))


class HeadstartClassifier(ClassifierMixin, _Exported):
    """Classes and their probabilities."""

    @property
    def classes_(self):
        """In the order of `predict_proba`'s columns."""
        return np.array(self._model.classes)

    def predict_proba(self, X):
        """[N, K], calibrated."""
        return self.outputs(X)["probabilities"]

    def predict(self, X):
        """[N]."""
        chances = self.predict_proba(X) * self._model.favour
        return self.classes_[chances.argmax(axis=1)]


class HeadstartMultiLabel(_Exported):
    """Several labels a sample, and the probability of each."""

    @property
    def classes_(self):
        """In the order of the columns of `predict` and `predict_proba`."""
        return np.array(self._model.classes)

    def predict_proba(self, X):
        """[N, K]."""
        return self.outputs(X)["probabilities"]

    def predict(self, X):
        """[N, K] of 0 and 1."""
        return (self.predict_proba(X) >= self._model.about["threshold"]).astype(int)


class HeadstartRegressor(RegressorMixin, _Exported):
    """Numbers, in the target's own unit."""

    def predict(self, X):
        """[N]."""
        return self.outputs(X)["prediction"]


class HeadstartEncoder(_Exported):
    """A pre-trained encoder: `transform` alone."""


def load(folder=HERE):
    """The estimator that suits the model in `folder`."""
    about = Model(folder).about
    names = about["outputs"]
    cls = HeadstartEncoder
    if about["task"] == "multilabel":
        cls = HeadstartMultiLabel
    elif "probabilities" in names:
        cls = HeadstartClassifier
    elif "prediction" in names:
        cls = HeadstartRegressor
    return cls(str(folder))
