"""The Python front door: `pretrain`, `finetune`, `load`, `inspect`, and the `Run` they give.

    encoder = pretrain("photos/", minutes=10)
    model = finetune("photos/", start=encoder, labels_per_class=10)
    model.evaluate()["accuracy"]

`run` holds what a finished run answers (`evaluate`, `predict`, `embed`), `learn` what makes one,
`studies` what many runs are made for (`compare`, `tune`, `label`, `recommend`), `given` how
arguments become settings. Every function raises `UserError` for what the user can mend, with the
same sentences as the command line.
"""

from headstart.api.learn import finetune, inspect, pretrain
from headstart.api.run import Run, embed, evaluate, load, predict
from headstart.api.studies import Comparison, Tuning, compare, label, recommend, tune

__all__ = [
    "Comparison",
    "Run",
    "Tuning",
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
