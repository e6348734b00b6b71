"""Whole batches of recordings: their log-mel maps, and what augmentation makes of them.

`reading` decides how recordings are read, `logmel` turns waves `[B, L]` into maps `[B, M, T]`;
`settings` names what augmentation can do and how strongly, `waves` changes waves, `maps` changes
maps, `pipeline.Augmentation` applies a set. Everything draws from torch's default generator.
"""

from headstart.modalities.sound.logmel import LogMel
from headstart.modalities.sound.pipeline import Augmentation
from headstart.modalities.sound.settings import AugmentConfig, choose

__all__ = ["AugmentConfig", "Augmentation", "LogMel", "choose"]
