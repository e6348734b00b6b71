"""Networks: `Batch` in, `Features` out; none knows what it is trained for.

Each file holds one network, its settings and its initialisation. `table` lists them.
"""

from headstart.tables import Table

table = Table(
    "backbone",
    {
        "mlp": ("headstart.backbones.mlp:MLP", "fully connected layers of any widths"),
        "tabm": (
            "headstart.backbones.tabm:TabM",
            "for tables: an ensemble of multilayer perceptrons that share their weights",
        ),
        "fttransformer": (
            "headstart.backbones.fttransformer:FTTransformer",
            "for tables: columns that look at one another",
        ),
        "conv": ("headstart.backbones.conv:Conv", "small convolutional network, fast on a CPU"),
        "resnet": ("headstart.backbones.resnet:ResNet", "residual networks of 18, 34 or 50 layers"),
        "vit": ("headstart.backbones.vit:ViT", "vision transformer: one token a patch"),
        "audioconv": (
            "headstart.backbones.audioconv:AudioConv",
            "convolutions over pitch and time, a token a few frames; fast, for recordings",
        ),
        "ast": (
            "headstart.backbones.ast:AST",
            "audio spectrogram transformer: patches of pitch and time that look at one another",
        ),
        "wave": (
            "headstart.backbones.wave:Wave",
            "convolutions over the wave itself; with modality.features=wave",
        ),
        "transformer": (
            "headstart.backbones.transformer:Transformer",
            "tokens of a text that look at one another, in both directions",
        ),
        "causal": (
            "headstart.backbones.causal:Causal",
            "the same, where each token sees those before it: it can write",
        ),
        "textconv": (
            "headstart.backbones.textconv:TextConv",
            "light convolutions over the tokens of a text",
        ),
        "tcn": (
            "headstart.backbones.tcn:TCN",
            "dilated convolutions along time, for series",
        ),
        "patchts": (
            "headstart.backbones.patchts:PatchTS",
            "patches of a series that look at one another",
        ),
        "ngram": (
            "headstart.backbones.ngram:Ngram",
            "bag of n-grams (fastText): the fastest, for texts",
        ),
    },
    families={
        "hub": (
            "headstart.backbones.hub.choice:chosen",
            "a public encoder of Hugging Face transformers or timm, or a folder that holds one",
        ),
    },
)
