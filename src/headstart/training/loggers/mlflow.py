"""MLflow: the server that `MLFLOW_TRACKING_URI` names, or the database RUN/mlflow.db."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.training.loggers.base import PROJECT

LONGEST = 500  # characters of a parameter


class MLflow:
    """An MLflow run by the client's own calls, which leave no global state."""

    def __init__(self) -> None:
        import mlflow

        self._mlflow: Any = mlflow
        self._client: Any = None
        self._run = ""

    def open(self, folder: Path, config: Mapping[str, Any], run: str | None, step: int) -> str:  # noqa: ARG002 - the face
        """A run of the experiment `headstart`, named after the folder."""
        here = folder.resolve()
        address = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{here / 'mlflow.db'}"
        self._client = self._mlflow.MlflowClient(tracking_uri=address)
        if run is not None:
            self._run = run
            return run
        found = self._client.get_experiment_by_name(PROJECT)
        experiment = (
            self._client.create_experiment(PROJECT, (here / "mlruns").as_uri())
            if found is None
            else found.experiment_id
        )
        self._run = self._client.create_run(experiment, run_name=folder.name).info.run_id
        for name, value in _parameters(config).items():
            self._client.log_param(self._run, name, value[:LONGEST])
        return self._run

    def log(self, step: int, figures: dict[str, float]) -> None:
        """One metric a figure, in one call."""
        now = int(time.time() * 1000)
        metric = self._mlflow.entities.Metric
        self._client.log_batch(
            self._run, metrics=[metric(name, value, now, step) for name, value in figures.items()]
        )

    def close(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self._run)


def _parameters(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings as `training.lr`: their values as text."""
    found: dict[str, str] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= _parameters(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = str(value)
    return found
