"""headstart: pre-train on everything, fine-tune on the labels you own, see whether it paid.

    import headstart as hs
    encoder = hs.pretrain("photos/", minutes=10)
    model = hs.finetune("photos/", start=encoder, labels_per_class=10)
    model.evaluate()

Names are imported when they are first used: `import headstart` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Run": "headstart.api",
    "load": "headstart.api",
    "pretrain": "headstart.api",
    "finetune": "headstart.api",
    "inspect": "headstart.api",
    "compare": "headstart.api",
    "Comparison": "headstart.api",
    "tune": "headstart.api",
    "Tuning": "headstart.api",
    "label": "headstart.api",
    "recommend": "headstart.api",
    "evaluate": "headstart.api",
    "predict": "headstart.api",
    "embed": "headstart.api",
    "Watcher": "headstart.training.watching",
    "Classifier": "headstart.estimators",
    "Regressor": "headstart.estimators",
    "Encoder": "headstart.estimators",
    "UserError": "headstart.errors",
}

if TYPE_CHECKING:
    from headstart.api import (
        Comparison,
        Run,
        Tuning,
        compare,
        embed,
        evaluate,
        finetune,
        inspect,
        label,
        load,
        predict,
        pretrain,
        recommend,
        tune,
    )
    from headstart.errors import UserError
    from headstart.estimators import Classifier, Encoder, Regressor
    from headstart.training.watching import Watcher

__all__ = [
    "Classifier",
    "Comparison",
    "Encoder",
    "Regressor",
    "Run",
    "Tuning",
    "UserError",
    "Watcher",
    "__version__",
    "compare",
    "embed",
    "evaluate",
    "finetune",
    "inspect",
    "label",
    "load",
    "predict",
    "pretrain",
    "recommend",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'headstart' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
