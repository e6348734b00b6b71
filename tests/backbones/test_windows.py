"""Samples longer than a window: which tokens are theirs."""

import pytest
import torch

from headstart.backbones.ast import AST, ASTConfig
from headstart.backbones.audioconv import AudioConv, AudioConvConfig, mixed_styles
from headstart.backbones.windows import tokens_of, windows
from headstart.types import Batch, Spec

EMPTY = -4.0


def recordings(ends, size):
    x = torch.randn(len(ends), 1, 16, size)
    there = torch.arange(size) < torch.tensor(ends)[:, None]
    return torch.where(there[:, None, None], x, EMPTY)


def test_each_window_counts_its_own_tokens():
    ends = torch.tensor([1, 8, 9, 20, 25, 30])
    each = tokens_of(ends, 10, 3, 4)  # a window is two tokens and a half: three
    assert each.tolist() == [[1, 0, 0], [2, 0, 0], [3, 0, 0], [3, 3, 0], [3, 3, 2], [3, 3, 3]]
    parts = windows(recordings(ends.tolist(), 30), Spec("continuous", (1, 16, 10), empty=EMPTY))
    _, mask = parts.joined(torch.randn(len(parts.x), 3, 5), 4)
    assert mask.view(6, 3, 3).sum(2).tolist() == each.tolist()


@pytest.mark.parametrize("made", ["audioconv", "ast"])
@torch.no_grad()
def test_the_end_of_a_long_recording_is_heard_where_windows_are_no_whole_tokens(made):
    spec = Spec("continuous", (1, 16, 36), empty=EMPTY, windows=3)
    if made == "ast":
        net = AST(ASTConfig(patch=8), spec).eval()
    else:
        net = AudioConv(AudioConvConfig(widths=(4, 8, 8), halve_time=3), spec).eval()
    x = recordings([108, 40], 108)
    features = net(Batch(x))
    many = -(-36 // 8)
    assert features.mask.sum(1).tolist() == net.frames(Batch(x)).tolist() == [3 * many, many + 1]
    changed = x.clone()
    changed[0, :, :, -4:] += 5
    assert not torch.equal(net(Batch(changed)).pooled[0], features.pooled[0])


def test_styles_are_of_what_sounds_and_not_of_the_silence_behind_it():
    """Two recordings alike but for what fills them up lend one another nothing new."""
    torch.manual_seed(0)
    sound = torch.randn(1, 3, 4, 6)
    long = torch.cat([sound, torch.full((1, 3, 4, 24), -9.0)], dim=3).repeat(2, 1, 1, 1)
    long[1, :, :, 6:12] = sound[0]  # the same twice over: the same means and deviations
    there = torch.zeros(2, 1, 1, 30)
    there[0, ..., :6] = 1
    there[1, ..., :12] = 1
    mixed = mixed_styles(long, there, 1.0)
    torch.testing.assert_close(mixed, long, rtol=1e-4, atol=1e-4)
