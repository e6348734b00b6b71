"""Tokenizers on several scripts, rows, packing, buckets, augmentation."""

import numpy as np
import pytest
import torch

from headstart.data.bucketed import Bucketed
from headstart.data.dataset import Samples
from headstart.data.loader import Resident
from headstart.data.texts import text_array
from headstart.errors import UserError
from headstart.modalities.text import Text
from headstart.modalities.tokenizer import size_for
from texts import modality, rows, sentences

CHINESE = [
    "今天天气很好,我们去公园散步。",
    "这个软件可以编辑文档和图片。",
    "请在安装之前阅读说明书。",
] * 8
OTHERS = ["Привет, мир! Как дела?", "नमस्ते दुनिया", "مرحبا بالعالم", "สวัสดีชาวโลก", "😂❤️ 🇨🇳"]


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram"])
def test_a_tokenizer_is_trained_kept_and_read_back(kind):
    made = modality(kind=kind)
    again = Text.from_state(made.state())
    samples = Samples(text_array(sentences()[:50]))
    assert torch.equal(made.tensor(samples)[0], again.tensor(samples)[0])
    assert made.vocabulary == again.vocabulary
    assert made.vocabulary.size <= 500
    share = float(torch.tensor(made.vocabulary.inside).float().mean())
    assert 0.1 < share < 0.9  # some pieces begin words, some go on


def test_bytes_spell_every_script_and_give_texts_back():
    made = modality(lowercase=False)
    x, _ = made.tensor(Samples(text_array(OTHERS + CHINESE)))
    assert not (x == made.vocabulary.unknown).any()
    assert made.texts(x) == OTHERS + CHINESE


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram"])
def test_chinese_is_cut_into_what_recurs(kind):
    from headstart.modalities.text import TextConfig
    from headstart.settings import Faults, resolve

    config = resolve(TextConfig, {"kind": kind, "vocabulary": 400}, Faults())
    made = Text.fit(Samples(text_array(CHINESE)), config)
    x, _ = made.tensor(Samples(text_array(CHINESE[:3])))
    text = ~torch.isin(x, torch.tensor(made.vocabulary.special))
    pieces = text.sum(dim=1).tolist()
    # Three sentences tell unigrams little; none cuts finer than characters and a space before.
    assert all(1 <= n <= len(line) + 1 for n, line in zip(pieces, CHINESE[:3], strict=True))
    assert kind == "unigram" or sum(pieces) < sum(map(len, CHINESE[:3]))
    assert made.texts(x)[0].replace(" ", "").startswith("今天天气")


def test_vocabularies_grow_as_heaps_law():
    assert size_for(10) == 300
    assert size_for(10**13) == 32_000
    assert size_for(2 * 10**6) / size_for(10**6) == pytest.approx(2**0.45, rel=0.05)


def test_an_empty_text_is_named_or_left_out():
    samples = Samples(
        text_array(["a text", "  ", "another"]), names=["x.txt:1", "x.txt:2", "x.txt:3"]
    )
    with pytest.raises(UserError, match=r"x\.txt:2 holds no text"):
        modality().tensor(samples)
    assert modality().tensor(samples, on_bad="skip")[1] == [1]


def test_a_length_that_is_no_whole_window_is_read_in_whole_ones():
    """Or a batch would be cut into windows across its texts."""
    long = Samples(text_array([" ".join(sentences()[i : i + 9]) for i in range(4)]))
    made = modality(length=40)
    assert made.spec.shape == (64,)
    assert made.prepare(made.tensor(long)[0]).shape == (4, 64)
    assert modality(length=20).spec.shape == (20,)


def test_long_texts_are_packed_without_loss_and_short_ones_are_not():
    long = Samples(text_array([" ".join(sentences()[i : i + 40]) for i in range(0, 120, 40)]))
    packed, bad = modality().stretches(long)
    assert not bad
    v = modality().vocabulary
    stream = [
        i
        for text in long.inputs
        for i in (v.begin, *modality().tokenizer.encode(" " + text, add_special_tokens=False).ids,
                  v.end)
    ]  # fmt: skip
    assert packed.flatten().tolist() == stream[: packed.numel()]
    assert packed.shape[1] == v.window
    assert len(stream) - packed.numel() < v.window
    few = Samples(text_array(["a path", "no logging", "the name of it"]))
    assert torch.equal(modality().stretches(few)[0], modality().tensor(few)[0])


def test_batches_of_similar_length_hold_every_sample_once_and_little_padding():
    x = rows()
    lengths = (x != modality().vocabulary.pad).sum(dim=1)
    count = 16
    n = 32 * count
    assert len(x) >= n
    bucketed = Bucketed(torch.arange(n)[:, None], lengths[:n], seed=3)
    plain = Resident(torch.arange(n)[:, None], seed=3)

    def padding(loader):
        batches = [loader.at(i * count, count)[0][:, 0] for i in range(32)]
        assert sorted(torch.cat(batches).tolist()) == list(range(n))
        widths = [lengths[b].max() * count for b in batches]
        return 1 - int(lengths[:n].sum()) / int(sum(widths))

    assert padding(bucketed) < 0.1 < padding(plain)
    again = Bucketed(torch.arange(n)[:, None], lengths[:n], seed=3)
    assert torch.equal(again.at(7 * count, count)[0], bucketed.at(7 * count, count)[0])


def test_augmentation_keeps_the_width_and_the_ends():
    x = modality().tensor(Samples(text_array(sentences()[:64])))[0]
    v, plain = modality().vocabulary, modality().prepare(x)
    torch.manual_seed(0)
    weak, strong = modality().augment(x), modality().augment(x, "strong")
    assert weak.shape == strong.shape == plain.shape
    for made in (weak, strong):
        assert (made[:, 0] == v.begin).all()
        assert ((made == v.end).sum(dim=1) == 1).all()
    text = ~torch.isin(plain, torch.tensor(v.special))
    hidden = (weak == v.mask).sum() / text.sum()
    assert float(hidden) == pytest.approx(0.1, abs=0.03)
    left = ((strong != v.pad).sum(1) / (plain != v.pad).sum(1)).numpy()
    assert np.mean(left) == pytest.approx(0.87, abs=0.04)
