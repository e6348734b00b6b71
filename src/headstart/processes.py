"""Which of several processes this is, by the environment. This module does not import torch.

`torchrun` and `accelerate launch` start every process with RANK, LOCAL_RANK and WORLD_SIZE.
"""

from __future__ import annotations

import os


def launched() -> int:
    """How many processes were started together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def own_rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get("RANK", "0")) if launched() > 1 else 0


def own_local_rank() -> int:
    """Which of those on this machine: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if launched() > 1 else 0


def is_first() -> bool:
    """Whether this is the process that writes files and speaks."""
    return own_rank() == 0
