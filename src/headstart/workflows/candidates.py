"""Which objectives are tried on each kind of data where nobody named one.

Two lists on purpose, here side by side. `--objective auto` tries whatever may suit: it has a
quarter of a whole training for that, and what is not tried cannot win. `headstart recommend` has
two minutes, and a try of few steps tells nothing: it tries few, all of them among the others.
"""

from __future__ import annotations

from headstart.data.dataset import Kind

ALL: dict[Kind, tuple[str, ...]] = {
    "image": (
        "autoencoder", "denoising", "masked", "simclr", "vicreg", "barlow", "byol", "lejepa",
    ),
    "table": ("vime", "scarf", "binning", "denoising", "autoencoder", "simclr", "vicreg"),
    "series": (
        "autoregressive", "masked", "denoising", "autoencoder", "inpainting", "simclr", "vicreg",
        "byol",
    ),
    "text": ("mlm", "electra", "tsdae", "simclr", "vicreg"),
    "audio": (
        "wav2vec", "masked", "denoising", "autoencoder", "inpainting", "simclr", "vicreg", "byol",
    ),
}  # fmt: skip
# The usual one first: it is taken where a try was too short to tell, and of equals.
FEW: dict[Kind, tuple[str, ...]] = {
    "image": ("vicreg", "simclr", "denoising"),
    "table": ("vime", "scarf", "denoising"),
    "series": ("simclr", "vicreg", "denoising"),
    "text": ("mlm", "electra", "tsdae"),
    "audio": ("simclr", "vicreg", "denoising"),
}


def few(kind: Kind, own: str) -> tuple[str, ...]:
    """Those of `FEW`, and `own`, which is what the modality would take untried."""
    return tuple(dict.fromkeys((*FEW[kind], own)))
