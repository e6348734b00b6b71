"""The piecewise-linear encoding, and an ensemble that shares its weights."""

import numpy as np
import torch

from headstart.backbones.encoded import Encoded
from headstart.backbones.fttransformer import FTTransformer, FTTransformerConfig
from headstart.backbones.tabm import Ensembled, TabM, TabMConfig
from headstart.types import Batch, Spec

SPEC = Spec("mixed", (5,), cardinalities=(4, 100), edges=((0.0, 1.0, 3.0), (-1.0, 1.0), (0.0, 2.0)))


def batch(n=6):
    numbers = torch.randn(n, 3)
    codes = torch.stack([torch.randint(0, 4, (n,)), torch.randint(0, 100, (n,))], dim=1)
    return torch.cat([numbers, codes.float()], dim=1)


def test_pieces_are_filled_as_in_the_paper():
    """Eq. 1 of arXiv:2203.05556: 0 below a piece, 1 above it, in between a line; ends go on."""
    encoded = Encoded(SPEC, bins=2, width=3)
    x = torch.zeros(4, 5)
    x[:, 0] = torch.tensor([-1.0, 0.5, 2.0, 5.0])
    ple = encoded(x)[:, 3:5].detach()
    np.testing.assert_allclose(ple, [[-1, 0], [0.5, 0], [1, 0.5], [1, 2]])
    assert encoded.dim == 3 + 4 + 4 + 3
    assert encoded.columns.tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 3, 3, 3, 4, 4, 4]


def test_plain_numbers_where_no_pieces_are_asked_for():
    x = batch()
    assert torch.equal(Encoded(SPEC, bins=0, width=3)(x)[:, :7].detach()[:, :3], x[:, :3])


def test_an_ensembled_layer_is_a_layer_a_member():
    layer = Ensembled(5, 4, 3)
    with torch.no_grad():
        for p in layer.parameters():
            p.normal_()
    x = torch.randn(2, 3, 5)
    found = layer(x)
    for k in range(3):
        weight = layer.outward[k][:, None] * layer.weight * layer.inward[k]
        torch.testing.assert_close(found[:, k], x[:, k] @ weight.T + layer.bias[k])


def test_members_differ_and_pooled_is_their_mean():
    torch.manual_seed(0)
    model = TabM(TabMConfig(members=4, width=8, depth=2), SPEC).eval()
    features = model(Batch(batch()))
    assert features.members.shape == (6, 4, 8)
    torch.testing.assert_close(features.pooled, features.members.mean(1))
    assert float(features.members.detach().std(dim=1).mean()) > 0.01
    in_layers = {id(p) for layer in model.layers() for p in layer.parameters()}
    assert in_layers == {id(p) for p in model.parameters()}


def test_blending_mixes_what_was_encoded():
    model = TabM(TabMConfig(members=2, width=8, depth=1), SPEC).eval()
    x = batch()
    whole = model(Batch(x, blend=(torch.arange(6).flip(0), torch.tensor(1.0)))).pooled
    torch.testing.assert_close(whole, model(Batch(x)).pooled)
    other = model(Batch(x, blend=(torch.arange(6).flip(0), torch.tensor(0.0)))).pooled
    torch.testing.assert_close(other, model(Batch(x.flip(0))).pooled)


def test_a_transformer_of_columns_has_a_linear_layer_a_column():
    torch.manual_seed(0)
    model = FTTransformer(FTTransformerConfig(width=8, heads=2, depth=1), SPEC).eval()
    x = batch()
    tokens = model.embedding(x)
    assert tokens.shape == (6, 1 + 5, 8)
    changed = x.clone()
    changed[:, 1] += 1
    differs = (model.embedding(changed) != tokens).any(dim=2).any(dim=0)
    assert differs.tolist() == [False, False, True, False, False, False]
    features = model(Batch(x))
    assert features.pooled.shape == (6, 8)
    assert features.tokens.shape == (6, 5, 8)
    other = model(Batch(x, blend=(torch.arange(6).flip(0), torch.tensor(0.0)))).pooled
    torch.testing.assert_close(other, model(Batch(x.flip(0))).pooled)
    in_layers = {id(p) for layer in model.layers() for p in layer.parameters()}
    assert in_layers == {id(p) for p in model.parameters()}
