"""Residual networks and transformers against the papers' sizes and their own promises."""

import pytest
import torch

from headstart import backbones
from headstart.backbones.patched import patchify, unpatchify
from headstart.backbones.vit import Block, patch_for, sincos
from headstart.errors import UserError
from headstart.types import Batch, Spec

LARGE = Spec("continuous", (3, 224, 224))
DIGITS = Spec("continuous", (1, 8, 8))


def built(name, spec=DIGITS, **settings):
    torch.manual_seed(0)
    cls = backbones.table.load(name)
    return cls(cls.Config(**settings), spec)


def parameters_with_head(name, **settings):
    """Of the backbone on 224 pixels, and of a linear head for ImageNet's 1,000 classes."""
    with torch.device("meta"):
        backbone = built(name, LARGE, **settings)
    return sum(p.numel() for p in backbone.parameters()) + 1_000 * (backbone.dim + 1)


@pytest.mark.parametrize(
    ("depth", "published"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032)]
)
def test_resnets_have_the_published_number_of_parameters(depth, published):
    assert parameters_with_head("resnet", depth=depth) == published


@pytest.mark.parametrize(
    ("size", "published"), [("tiny", 5_717_416), ("small", 22_050_664), ("base", 86_567_656)]
)
def test_transformers_have_the_published_number_of_parameters(size, published):
    settings = {"pool": "class", "positions": "learned"}
    assert parameters_with_head("vit", size=size, **settings) == published


def test_residual_blocks_start_as_nothing():
    """With the last norm's gain at 0, a block gives back its input, as far as that is positive."""
    block = built("resnet").stages[0][0]
    h = torch.rand(2, 32, 8, 8)
    assert torch.equal(block(h), h)


@pytest.mark.parametrize(("side", "reduced"), [(32, 4), (64, 8), (96, 3), (224, 7)])
def test_resnet_reduces_small_pictures_eightfold_and_large_ones_more(side, reduced):
    network = built("resnet", Spec("continuous", (3, side, side)), width=4).eval()
    assert network(Batch(torch.rand(1, 3, side, side))).tokens.shape == (1, reduced**2, 32)


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_samples_that_are_no_pictures_are_refused(name):
    with pytest.raises(UserError, match=rf"backbone '{name}' needs pictures.*shape \[12\]"):
        built(name, Spec("continuous", (12,)))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 10)])
def test_patches_are_the_pictures_tiles_and_can_be_put_together_again(shape):
    x = torch.rand(2, *shape)
    patches = patchify(x, 2)
    assert torch.equal(patches[1, 0].view(2, 2, shape[0]), x[1, :, :2, :2].permute(1, 2, 0))
    assert torch.equal(unpatchify(patches, 2, shape), x)


@pytest.mark.parametrize(
    "settings", [{}, {"pool": "class", "positions": "learned"}, {"positions": "learned"}]
)
def test_all_patches_given_in_another_order_say_the_same(settings):
    """Tokens know their place by their positions only: order is nothing to attention."""
    network = built("vit", **settings).eval()
    batch = Batch(torch.rand(3, 1, 8, 8))
    whole = network(batch)
    order = torch.rand(3, whole.tokens.shape[1]).argsort(dim=1)
    shuffled = network.encode(batch, order)
    torch.testing.assert_close(shuffled.pooled, whole.pooled, atol=1e-5, rtol=1e-5)
    expected = torch.stack([t[o] for t, o in zip(whole.tokens, order, strict=True)])
    torch.testing.assert_close(shuffled.tokens, expected, atol=1e-5, rtol=1e-5)


def test_hidden_patches_cannot_be_seen():
    network = built("vit").eval()
    x = torch.rand(1, 1, 8, 8)
    other = x.clone()
    other[:, :, 6:, 6:] = 9.0  # the last patch
    visible = torch.tensor([[3, 0, 7]])
    seen = [network.encode(Batch(one), visible).pooled for one in (x, other)]
    assert torch.equal(*seen)
    assert not torch.equal(network(Batch(x)).pooled, network(Batch(other)).pooled)


def test_attention_is_the_softmax_of_scaled_products():
    torch.manual_seed(0)
    block = Block(8, 2)
    h = torch.randn(3, 5, 8)
    reference = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    reference.in_proj_weight.data, reference.in_proj_bias.data = (
        block.qkv.weight.data, block.qkv.bias.data,
    )  # fmt: skip
    reference.out_proj.load_state_dict(block.out.state_dict())
    torch.testing.assert_close(block.attend(h), reference(h, h, h)[0], atol=1e-6, rtol=1e-5)


def test_waves_tell_places_apart_and_near_from_far():
    waves = sincos((4, 5), 16)
    assert waves.shape == (20, 16)
    torch.testing.assert_close((waves**2).sum(1), torch.full((20,), 8.0))
    likeness = waves @ waves.T
    assert (likeness.argmax(1) == torch.arange(20)).all()
    assert likeness[0, 1] > likeness[0, 4]
    assert likeness[0, 5] > likeness[0, 15]


def test_stochastic_depth_skips_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    block = Block(8, 2, drop=0.25).train()
    dropped = block._dropped(torch.ones(4_000, 3, 8))
    assert (dropped.amax((1, 2)) == dropped.amin((1, 2))).all()
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.05)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert torch.equal(block.eval()._dropped(torch.ones(2, 3, 8)), torch.ones(2, 3, 8))


@pytest.mark.parametrize(
    ("side", "patch"), [(8, 2), (28, 4), (32, 4), (64, 8), (96, 12), (224, 16)]
)
def test_patches_suit_the_pictures_side(side, patch):
    assert patch_for(side) == patch


def test_a_patch_larger_than_the_picture_is_refused():
    with pytest.raises(UserError, match=r"'backbone.patch' is 9.*8×8"):
        built("vit", patch=9)
