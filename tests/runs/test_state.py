from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import UserError
from headstart.runs import state

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
]


def same(one, other):
    """Equal in type, shape and every bit."""
    if isinstance(one, torch.Tensor):
        return (
            isinstance(other, torch.Tensor)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and torch.equal(
                one.reshape(-1).contiguous().view(torch.uint8),
                other.reshape(-1).contiguous().view(torch.uint8),
            )
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)  # noqa: PLR0124 - NaN


tensors = st.builds(
    lambda dtype, shape, seed: (
        torch.randint(
            0, 256, (math.prod(shape) * 8,), generator=torch.Generator().manual_seed(seed)
        )
        .to(torch.uint8)
        .view(dtype if dtype != torch.bool else torch.uint8)[: math.prod(shape)]
        .reshape(shape)
        .to(dtype)
    ),
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 3), max_size=3),
    st.integers(0, 1000),
)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | tensors,
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.lists(inside, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inside, max_size=3)
        | st.dictionaries(st.integers(), inside, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(trees)
def test_any_tree_comes_back_to_the_last_bit(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("state") / "tree.safetensors"
    state.save(path, tree)
    assert same(state.load(path), tree)


@pytest.mark.parametrize("key", ["__tensor__", "__tuple__", "__pairs__"])
def test_keys_that_look_like_our_own_marks_come_back_too(tmp_path, key):
    state.save(tmp_path / "s", {key: "t0", "x": torch.zeros(1)})
    assert same(state.load(tmp_path / "s"), {key: "t0", "x": torch.zeros(1)})


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adafactor", "RMSprop"])
def test_an_optimiser_goes_on_as_if_it_had_not_stopped(tmp_path, name):
    def begin():
        weight = torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4))
        return weight, getattr(torch.optim, name)([weight], lr=0.1)

    def step(weight, optimiser):
        optimiser.zero_grad()
        (weight**2).sum().backward()
        optimiser.step()

    weight, optimiser = begin()
    step(weight, optimiser)
    state.save(tmp_path / "s", {"w": weight, "o": optimiser.state_dict()})
    step(weight, optimiser)
    tree = state.load(tmp_path / "s")
    again, resumed = begin()
    again.data.copy_(tree["w"])
    resumed.load_state_dict(tree["o"])
    step(again, resumed)
    assert torch.equal(again, weight)


def test_tensors_that_share_memory_are_saved(tmp_path):
    whole = torch.arange(6.0)
    state.save(tmp_path / "s", {"a": whole, "b": whole[2:], "c": whole.reshape(2, 3).t()})
    back = state.load(tmp_path / "s")
    assert torch.equal(back["b"], whole[2:])
    assert torch.equal(back["c"], whole.reshape(2, 3).t())


def test_what_only_pickle_could_hold_is_refused(tmp_path):
    with pytest.raises(TypeError, match="object"):
        state.save(tmp_path / "s", {"x": object()})
    assert list(tmp_path.iterdir()) == []


def test_every_single_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "s"
    state.save(path, {"w": torch.arange(6.0), "step": 3, "names": ("a", None)})
    good = path.read_bytes()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 0x01
        path.write_bytes(bad)
        try:
            tree = state.load(path)
        except UserError:
            continue
        # Only a byte that carries nothing (padding) may change unseen.
        assert same(tree, {"w": torch.arange(6.0), "step": 3, "names": ("a", None)}), place


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_noticed(tmp_path, share):
    path = tmp_path / "s"
    state.save(path, {"w": torch.arange(100.0)})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match="cannot be read"):
        state.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none"):
        state.load(tmp_path / "none")


def test_somebody_elses_safetensors_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "s")
    with pytest.raises(UserError, match="checksum"):
        state.load(tmp_path / "s")
