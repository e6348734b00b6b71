"""A decoder for `Decoders`' processes, which import nothing for it but what is here."""

import os
import signal

import numpy as np


def suicidal(item, **_):
    """Ones; whoever is given a file whose name begins with 7 dies."""
    if item.name.startswith("7"):
        os.kill(os.getpid(), signal.SIGKILL)
    return np.ones(2, np.uint8)
