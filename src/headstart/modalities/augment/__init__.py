"""Whole batches of pictures changed on their device, each picture by its own random amounts.

`settings` names what can be done and how strongly, `kinds` the sets that suit a kind of picture,
`pipeline.Augmentation` applies a set. One idea a file: `geometry` (moving, cropping and mirroring,
with `elastic` deformation, in one resampling), `colour`, `blur`, `erase`. All functions take and
give float `[B, C, H, W]` in 0..1 and draw from torch's default generator.
"""

from headstart.modalities.augment.kinds import choose
from headstart.modalities.augment.pipeline import Augmentation
from headstart.modalities.augment.settings import AugmentConfig

__all__ = ["AugmentConfig", "Augmentation", "choose"]
