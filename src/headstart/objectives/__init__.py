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
        "sparse": (
            "headstart.objectives.sparse:Sparse",
            "an autoencoder whose wide code has only a few units active at once",
        ),
        "masked": (
            "headstart.objectives.masked:Masked",
            "guess the hidden patches of a sample from the visible ones; needs a vit or patchts",
        ),
        "inpainting": (
            "headstart.objectives.inpainting:Inpainting",
            "guess the hidden blocks of a sample; for any backbone",
        ),
        "wav2vec": (
            "headstart.objectives.wav2vec:Wav2Vec",
            "tell what hidden moments of a recording sound like from other moments",
        ),
        "mlm": (
            "headstart.objectives.mlm:MLM",
            "guess the hidden words of a text",
        ),
        "electra": (
            "headstart.objectives.electra:ELECTRA",
            "tell the words of a text from guesses in their places",
        ),
        "causal": (
            "headstart.objectives.causal:CausalLM",
            "guess what comes next in a text: it can write",
        ),
        "autoregressive": (
            "headstart.objectives.autoregressive:Autoregressive",
            "guess the next steps of a series from those before",
        ),
        "tsdae": (
            "headstart.objectives.tsdae:TSDAE",
            "write a text again from one vector of a few of its words",
        ),
        "vime": (
            "headstart.objectives.vime:VIME",
            "for tables: tell which values of a row are another's, and what stood there",
        ),
        "scarf": (
            "headstart.objectives.scarf:SCARF",
            "for tables: a row finds its spoilt copy among those of all rows",
        ),
        "binning": (
            "headstart.objectives.binning:Binning",
            "for tables: say into which part of its column each number falls",
        ),
        "gan": (
            "headstart.objectives.gan:GAN",
            "a bidirectional GAN: it makes new samples, and its encoder learns their codes",
        ),
    },
)
