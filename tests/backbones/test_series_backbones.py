import pytest
import torch
import torch.nn.functional as F

from headstart import backbones
from headstart.backbones.stepwise import pool
from headstart.errors import UserError
from headstart.objectives.autoregressive import (
    Autoregressive,
    AutoregressiveConfig,
    following,
)
from headstart.parts.measured import squared_error, weights
from headstart.types import Batch, Spec

SPEC = Spec("continuous", (3, 40))
FLAGGED = Spec("continuous", (4, 40), flagged=True)


def made(name, spec=SPEC, **settings):
    torch.manual_seed(0)
    cls = backbones.table.load(name)
    width = {"tcn": 16, "patchts": 32}[name]
    return cls(cls.Config(**{"width": width, "depth": 2, **settings}), spec).eval()


def padded(ends):
    """Random series `[B, 2·2, 40]` with flags, nothing after their ends."""
    there = (torch.arange(40) < torch.tensor(ends)[:, None])[:, None].float().expand(-1, 2, -1)
    return torch.cat([torch.randn(len(ends), 2, 40) * there, there], dim=1)


@pytest.mark.parametrize("settings", [{}, {"stride": 4}])
def test_a_causal_tcn_sees_no_later_step(settings):
    tcn = made("tcn", **settings)
    sees_nothing_later(tcn)


@pytest.mark.parametrize("patch", [1, 5, 7])
def test_a_causal_patchts_sees_no_later_step(patch):
    sees_nothing_later(made("patchts", patch=patch))


def sees_nothing_later(backbone):
    for norm in backbone.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):  # or its blocks are nothing
            torch.nn.init.ones_(norm.weight)
    x = torch.randn(1, 3, 40, requires_grad=True)
    some = torch.randn(backbone.token_dim)  # a sum would be constant behind a normalisation
    tokens = backbone.read(x, None, causal=True) @ some
    for i in (0, 3, tokens.shape[1] - 1):
        (gradient,) = torch.autograd.grad(tokens[0, i], x, retain_graph=True)
        seen = gradient[0].abs().sum(dim=0).nonzero()[:, 0]
        assert int(seen.max()) == min((i + 1) * backbone.stride, 40) - 1
    whole = backbone.read(x, None) @ some
    (gradient,) = torch.autograd.grad(whole[0, 1], x)
    assert int(gradient[0].abs().sum(dim=0).nonzero().max()) > 2 * backbone.stride


@pytest.mark.parametrize("name", ["tcn", "patchts"])
def test_what_is_after_the_end_of_a_series_does_not_matter(name):
    backbone = made(name, FLAGGED)
    x = padded([40, 20, 7])
    features = backbone(Batch(x))
    for i, end in enumerate([40, 20, 7]):
        tokens = -(-end // backbone.stride)
        assert features.mask[i].tolist() == [j < tokens for j in range(features.mask.shape[1])]
        changed = features.tokens.clone()
        changed[i, tokens:] = 7.0
        torch.testing.assert_close(
            pool(changed, features.mask, "both")[i], features.pooled[i], rtol=0, atol=0
        )


def test_a_shorter_tcn_gives_the_same_answer():
    """Steps that are not there count for nothing: a narrower network says the same."""
    wide = made("tcn", FLAGGED)
    narrow = made("tcn", Spec("continuous", (4, 20), flagged=True))
    narrow.load_state_dict(wide.state_dict())
    x = padded([20, 11])
    torch.testing.assert_close(narrow(Batch(x[:, :, :20])).pooled, wide(Batch(x)).pooled)


def test_patches_of_series_come_back():
    backbone = made("patchts", patch=7)
    x = torch.randn(2, 3, 40)
    assert backbone.cut(x).shape == (2, 6, 21)
    torch.testing.assert_close(backbone.cut(x)[0, 1, :3], x[0, :, 7])
    assert torch.equal(backbone.join(backbone.cut(x), (3, 40)), x)


def test_encoding_all_patches_is_encoding():
    backbone = made("patchts", FLAGGED, patch=5)
    x = padded([40, 15])
    order = torch.stack([torch.randperm(8), torch.randperm(8)])
    some = backbone.encode(Batch(x), order)
    full = backbone(Batch(x))
    torch.testing.assert_close(some.pooled, full.pooled)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("tcn", {"kernel": 4}, "must be odd"),
        ("tcn", {"stride": 41}, "series of 40 steps need one of 1 to 40"),
        ("patchts", {"patch": 41}, "series of 40 steps need one of 1 to 40"),
        ("patchts", {"width": 30}, "multiple of"),
    ],
)
def test_settings_out_of_range_are_named(name, settings, words):
    with pytest.raises(UserError, match=words):
        made(name, **settings)


@pytest.mark.parametrize("name", ["tcn", "patchts"])
def test_series_are_asked_for(name):
    with pytest.raises(UserError, match="needs series"):
        made(name, Spec("continuous", (1, 8, 8)))


def test_errors_are_over_what_was_measured():
    x = padded([10, 40])
    guess = torch.randn_like(x)
    there = x[:, 2:]
    by_hand = ((guess - x)[:, :2].square() * there).sum() + (guess - x)[:, 2:].square().sum()
    torch.testing.assert_close(
        squared_error(guess, x, flagged=True), by_hand / (there.sum() + there.numel())
    )
    assert torch.equal(squared_error(guess, x, flagged=False), F.mse_loss(guess, x))
    assert weights(x).shape == x.shape


def test_what_follows_a_token_begins_after_its_steps():
    x = torch.arange(10.0)[None, None]
    found = following(x, stride=2, horizon=3)[0, :, 0]
    assert found.tolist() == [[2, 3, 4], [4, 5, 6], [6, 7, 8]]


@pytest.mark.parametrize(("horizon", "patch"), [(0, 4), (-1, 4), (None, 40)])
def test_a_horizon_that_leaves_nothing_is_refused(horizon, patch):
    encoder = made("patchts", patch=patch)
    with pytest.raises(UserError, match="leaves nothing to guess of 40 steps"):
        Autoregressive(AutoregressiveConfig(horizon=horizon), encoder, SPEC)
