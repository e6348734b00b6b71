"""What a token says must not depend on padding, on its neighbours in a packed row, or on windows."""

import pytest
import torch
import torch.nn.functional as F

from headstart.backbones.ngram import character_runs
from headstart.backbones.transformer import rotary, rotated
from headstart.types import Batch
from texts import modality, rows, small

BACKBONES = ("transformer", "causal", "textconv", "ngram")


@pytest.mark.parametrize("name", BACKBONES)
def test_padding_says_nothing(name):
    encoder = small("causal" if name == "causal" else "mlm", name).encoder.eval()
    x, pad = rows(), modality().vocabulary.pad
    short = x[[0]][:, : int((x[0] != pad).sum())][:, :32]
    wide = F.pad(short, (0, 32 - short.shape[1]), value=pad)
    other = x[(x != pad).sum(dim=1) >= 32][:1, :32]
    with torch.no_grad():
        alone = encoder(Batch(short))
        among = encoder(Batch(torch.cat([wide, other])))
    torch.testing.assert_close(alone.pooled[0], among.pooled[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        alone.tokens[0], among.tokens[0, : short.shape[1]], atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("name", ["transformer", "causal"])
def test_texts_packed_in_one_row_do_not_see_one_another(name):
    encoder = small("causal" if name == "causal" else "mlm", name).encoder.eval()
    x, pad = rows(), modality().vocabulary.pad
    short = [row[row != pad] for row in x if 6 < int((row != pad).sum()) < 16][:2]
    packed = torch.cat(short)[None]
    with torch.no_grad():
        together = encoder(Batch(packed)).tokens[0]
        apart = torch.cat([encoder(Batch(one[None])).tokens[0] for one in short])
    # Rotary positions tell distances only: where a text stands in the row makes no difference.
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-4)


def test_a_long_text_is_its_windows_pooled():
    encoder = small("mlm", "transformer").encoder.eval()
    x = rows()[(rows() != modality().vocabulary.pad).sum(dim=1) > 50][:3]
    x = x[:, 1:65].masked_fill(x[:, 1:65] == modality().vocabulary.begin, 7)
    with torch.no_grad():
        whole = encoder(Batch(x)).tokens
        parts = torch.cat([encoder(Batch(part)).tokens for part in x.split(32, dim=1)], dim=1)
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-4)


def test_rotation_tells_distances_only():
    cos, sin = rotary(40, 8)
    torch.manual_seed(0)
    q, k = torch.randn(8), torch.randn(8)

    def product(i, j):
        return float(rotated(q, cos[i], sin[i]) @ rotated(k, cos[j], sin[j]))

    assert product(3, 7) == pytest.approx(product(23, 27), abs=1e-5)
    assert product(3, 7) != pytest.approx(product(3, 9), abs=1e-3)


def test_words_of_one_stem_begin_alike():
    spelt, share = character_runs(["Ġhappy", "Ġhappily", "Ġwood", ""], 3, 10_000)
    torch.testing.assert_close((share**2).sum(dim=1), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    runs = [set(row[s > 0].tolist()) for row, s in zip(spelt, share, strict=True)]
    assert len(runs[0]) == 5 + 4  # pairs and threes of six characters
    assert len(runs[0] & runs[1]) == 7  # those of Ġhapp
    assert not runs[0] & runs[2]


def test_runs_of_words_count_not_only_words():
    """A bag of single words could not tell these two apart."""
    encoder = small("mlm", "ngram").encoder.eval()
    x = torch.tensor([[2, 20, 30, 40, 3], [2, 40, 30, 20, 3]])
    with torch.no_grad():
        one, other = encoder(Batch(x)).pooled
    assert not torch.allclose(one, other)
