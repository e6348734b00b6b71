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
        "simclr": (
            "headstart.objectives.simclr:SimCLR",
            "two views of a sample find each other among all others",
        ),
        "vicreg": (
            "headstart.objectives.vicreg:VICReg",
            "two views the same, all units alive, no two alike",
        ),
        "barlow": (
            "headstart.objectives.barlow:BarlowTwins",
            "units agree over two views, and no two units say the same",
        ),
        "byol": (
            "headstart.objectives.byol:BYOL",
            "predict what a slower copy says of another view",
        ),
        "simsiam": (
            "headstart.objectives.simsiam:SimSiam",
            "predict one view from the other, no gradient on one side",
        ),
        "dino": (
            "headstart.objectives.dino:DINO",
            "sort a view among prototypes as a slower copy sorts another",
        ),
        "lejepa": (
            "headstart.objectives.lejepa:LeJEPA",
            "views at one point, all points normally distributed",
        ),
    },
)
