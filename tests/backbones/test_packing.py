import numpy as np
import torch

from headstart.backbones.audioconv import AudioConv, AudioConvConfig
from headstart.backbones.packing import Packed, first_fit, packed
from headstart.types import Batch, Spec

EMPTY = -3.0


def recordings(ends, size=64):
    x = torch.randn(len(ends), 1, 8, size)
    there = torch.arange(size) < ends[:, None]
    return torch.where(there[:, None, None], x, EMPTY)


def test_what_is_packed_comes_back():
    ends = torch.tensor([5, 64, 20, 33, 8, 1])
    x = recordings(ends)
    rows = packed(x, ends, EMPTY, 8)
    assert len(rows.x) < len(x)
    back = rows.unpacked(rows.x[:, 0].transpose(1, 2), 1)  # [B, T, M]
    assert torch.equal(back.transpose(1, 2).unsqueeze(1), x)


def test_no_row_is_overfull_and_nothing_overlaps():
    sizes = np.random.default_rng(0).integers(1, 50, 40)
    row, start = first_fit(sizes, 60)
    cells = [(r, c) for r, s, n in zip(row, start, sizes, strict=True) for c in range(s, s + n)]
    assert len(cells) == len(set(cells))
    assert max(c for _, c in cells) < 60


@torch.no_grad()
def test_packing_hardly_changes_what_is_heard():
    ends = torch.tensor([50, 30, 12, 64, 40, 20, 25, 33])
    batch = Batch(recordings(ends))
    torch.manual_seed(0)
    net = AudioConv(AudioConvConfig(), Spec("continuous", (1, 8, 64), empty=EMPTY))
    for norm in net.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):  # its batch's own statistics tell rows apart
            norm.eval()
    tokens, parts = net.local(batch)
    rows = net._packed(parts)
    assert isinstance(rows, Packed)
    assert len(rows.x) < len(batch.x)
    alone = net.eval().local(batch)[0]
    there = torch.arange(16) < (ends[:, None] + 3) // 4
    # Only at its edges does a recording hear its neighbour, through the gap.
    far = (tokens - alone)[there].abs().amax(dim=1)
    assert float((far > 1e-3).float().mean()) < 0.15
    assert float(far.mean()) < 0.05 * float(alone[there].abs().mean())
