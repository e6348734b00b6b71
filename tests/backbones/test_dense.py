"""A stack as one node of autograd against the same modules one after another."""

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from headstart.backbones.dense import Dense


def stack(widths, *, last):
    torch.manual_seed(sum(widths))
    layers = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*(layers if last else layers[:-1]))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.booleans(), st.integers(1, 8))
def test_outputs_and_all_gradients_are_those_of_the_modules(widths, last, batch):
    plain = stack(widths, last=last)
    twin = copy.deepcopy(plain)
    x = torch.randn(batch, widths[0], requires_grad=True)
    y = x.detach().clone().requires_grad_()
    expected, found = plain(x), Dense(twin)(y)
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(expected)
    (expected * weight).sum().backward()
    (found * weight).sum().backward()
    torch.testing.assert_close(y.grad, x.grad)
    for mine, theirs in zip(twin.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_gradients_are_those_of_differences():
    dense = Dense(stack([5, 4, 3], last=False).double())
    parameters = [p for layer in dense.linear for p in layer.parameters()]
    x = torch.randn(6, 5, dtype=torch.double)
    assert torch.autograd.gradcheck(lambda *_: dense(x), parameters)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Linear(3, 3), nn.GELU(), nn.Linear(3, 3)],
        [nn.Linear(3, 3), nn.LayerNorm(3), nn.ReLU()],
        [nn.Linear(3, 3, bias=False), nn.ReLU()],
        [nn.ReLU(), nn.Linear(3, 3)],
        [nn.Identity()],
    ],
)
def test_any_other_stack_is_left_to_its_modules(layers):
    dense = Dense(layers)
    x = torch.randn(2, 3)
    assert not dense.fused(x)
    torch.testing.assert_close(dense(x), nn.Sequential(*layers)(x))


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_whoever_hooks_into_a_part_or_the_whole_is_called(register):
    whole = nn.Sequential(stack([3, 4, 2], last=False))
    dense, x = Dense([whole]), torch.randn(2, 3)
    for part in (whole, whole[0][0]):  # FSDP puts weights together before a layer is called
        seen = []
        handle = getattr(part, register)(lambda *_, seen=seen: seen.append(1))
        dense(x)
        assert seen == [1]
        handle.remove()
    assert dense.fused(x)


def test_only_plain_training_is_fused():
    layers = stack([3, 4, 2], last=False)
    dense, x = Dense(layers), torch.randn(2, 3)
    with torch.no_grad():
        assert not dense.fused(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not dense.fused(x)
    assert dense.fused(x)
    layers.eval()
    assert not dense.fused(x)
