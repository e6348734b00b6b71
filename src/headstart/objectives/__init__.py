"""Ways to learn without labels: one paper, one file, its mathematics as functions.

An objective is a `Learner` built as `Objective(config, encoder, spec)`. `table` lists them.
"""

from headstart.tables import Table

table = Table(
    "objective",
    {
        "autoencoder": (
            "headstart.objectives.autoencoder:Autoencoder",
            "give the sample back through a narrow code",
        ),
        "denoising": (
            "headstart.objectives.denoising:Denoising",
            "give the clean sample back from a spoilt one",
        ),
        "variational": (
            "headstart.objectives.variational:Variational",
            "an autoencoder whose codes follow a normal law: it can make new samples",
        ),
    },
)
