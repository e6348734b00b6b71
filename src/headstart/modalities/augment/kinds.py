"""Sets of strengths that suit a kind of picture, and how the kind is told from train."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.modalities.augment.pipeline import Augmentation
from headstart.modalities.augment.settings import AugmentConfig, Ground, Kind
from headstart.modalities.strengths import Amounts, amounts_of

# Shares that hold wherever a transform is on and nobody says otherwise.
USUAL: Amounts = {"jitter_share": 0.8, "blur_share": 0.5, "erase_share": 0.5}

WEAK: dict[Kind, Amounts] = {
    # Handwriting: mirrored or cropped it would read otherwise.
    "digits": {"rotate": 12, "shear": 0.15, "scale": 0.12, "shift": 0.08},
    "objects": {"flip": 0.5, "shift": 0.08, "scale": 0.1},
    "photos": {"flip": 0.5, "crop": 0.3},
    "none": {},
}
STRONG: dict[Kind, Amounts] = {
    "digits": {
        "rotate": 25, "shear": 0.3, "scale": 0.25, "shift": 0.1, "elastic": 0.04, "erase": 0.25,
    },
    "objects": {
        "flip": 0.5, "crop": 0.4, "rotate": 10, "brightness": 0.3, "contrast": 0.3, "erase": 0.3,
    },
    # SimCLR's (Chen et al., 2020, arXiv:2002.05709, appendix A and B.9).
    "photos": {
        "flip": 0.5, "crop": 0.8, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4,
        "hue": 0.1, "grey": 0.2, "blur": 0.01,
    },
    "none": {},
}  # fmt: skip

# In a few pixels, bent or turned that far, 4 turns into 9 and 1 into 7 (benchmarks/RESULTS.md).
COARSE = 16  # pixels a side
STRONG_COARSE: Amounts = {"rotate": 15, "shear": 0.2, "scale": 0.15, "shift": 0.1}

PLAIN_GROUND = 0.35  # share of pixels like the edge's from which things lie on a plain ground
THICK = 0.24  # strokes keep less of their ink when thinned by a sixth of the side
COLOURFUL = 0.02  # mean spread of a pixel's channels; JPEG's own noise lies below


def choose(config: AugmentConfig, x: Tensor) -> Augmentation:
    """What suits the pictures of train, with the strengths that `config` names.

    x: some pictures of train, `uint8 [N, C, H, W]`.
    """
    likely_kind, likely_ground = look(x)
    kind: Kind = likely_kind if config.kind == "auto" else config.kind
    ground: Ground = likely_ground if config.ground == "auto" else config.ground
    coarse = kind == "digits" and min(x.shape[2:]) < COARSE
    strong = STRONG_COARSE if coarse else STRONG[kind]
    amounts = amounts_of(config, {**USUAL, **WEAK[kind]}, {**USUAL, **strong})
    return Augmentation(kind, ground, amounts)


def look(x: Tensor) -> tuple[Kind, Ground]:
    """The kind of picture and its ground, from `uint8 [N, C, H, W]`.

    Pictures whose edges and a third of whose pixels are of one tone show a thing on a plain ground;
    a grey one made of thin strokes is writing. When in doubt, nothing is mirrored or coloured.
    """
    x = x.float() / 255
    colourful = x.shape[1] == 3 and float((x.amax(1) - x.amin(1)).mean()) > COLOURFUL
    grey = x.mean(dim=1, keepdim=True)
    edge = torch.cat([grey[..., [0, -1], :].flatten(), grey[..., :, [0, -1]].flatten()])
    level = float(edge.median())
    away = (grey - level).abs()
    if float((away <= 1 / 16).float().mean()) < PLAIN_GROUND:
        return "photos", "mirror"
    ground: Ground = "black" if level <= 1 / 16 else "edge"
    if thickness(away) < THICK:
        return "digits", ground
    return "photos" if colourful else "objects", ground


def thickness(ink: Tensor) -> float:
    """Share of ink that is left when what is drawn loses 2 of 28 pixels all round.

    ink: `[N, 1, H, W]`. Of MNIST 0.00 is left, of the 8×8 digits 0.17, of Fashion-MNIST 0.31.
    """
    ink = F.interpolate(ink, (28, 28), mode="bilinear", antialias=True)
    drawn = (ink > 0.5 * ink.amax(dim=(2, 3), keepdim=True)).float()
    left = -F.max_pool2d(-F.pad(drawn, [2] * 4), 5, stride=1)
    return float(left.sum() / drawn.sum().clamp(min=1))
