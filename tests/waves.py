"""Small sets of series that a network learns in seconds."""

import numpy as np


def waves(n=240, *, longest=48, channels=2, seed=0, varying=True, missing=0.0):
    """Slow and fast waves of random phase, class 0 and 1: series `[N, C, T]`, targets `[N]`.

    varying: each ends between half and the whole of `longest`, NaN from there on.
    """
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    t = np.arange(longest) / 48
    rate = np.where(y == 0, 2.0, 5.0) * rng.uniform(0.9, 1.1, n)
    phase = rng.uniform(0, 1, (n, channels))
    x = 3 + np.sin(2 * np.pi * (rate[:, None, None] * t + phase[:, :, None]))
    x = (x + 0.1 * rng.standard_normal(x.shape)).astype(np.float32)
    x[rng.random(x.shape) < missing] = np.nan
    if varying:
        ends = rng.integers(longest // 2, longest + 1, n)
        ends[0] = longest
        x[np.arange(longest)[None, None] >= np.broadcast_to(ends[:, None, None], x.shape)] = np.nan
    return x, y
