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
        "sparse": (
            "headstart.objectives.sparse:Sparse",
            "an autoencoder whose wide code has only a few units active at once",
        ),
        "masked": (
            "headstart.objectives.masked:Masked",
            "guess the hidden patches of a picture from the visible ones; needs a vit",
        ),
        "inpainting": (
            "headstart.objectives.inpainting:Inpainting",
            "guess the hidden blocks of a sample; for any backbone",
        ),
        "gan": (
            "headstart.objectives.gan:GAN",
            "a bidirectional GAN: it makes new samples, and its encoder learns their codes",
        ),
    },
)
