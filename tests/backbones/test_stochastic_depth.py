import pytest
import torch

from headstart.backbones.stochastic_depth import shares, skip_branch
from samples import backbone, batch


def test_whole_samples_are_skipped_and_the_mean_stays():
    torch.manual_seed(0)
    branch = torch.ones(4_000, 2, 3, 3)
    out = skip_branch(branch, 0.25, training=True)
    per_sample = out.flatten(1)
    assert (per_sample.amax(1) == per_sample.amin(1)).all()
    assert per_sample[:, 0].unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert float(out.mean()) == pytest.approx(1.0, abs=0.03)
    assert skip_branch(branch, 0.25, training=False) is branch


def test_deeper_branches_are_skipped_more():
    assert shares(0.3, 3) == pytest.approx([0.1, 0.2, 0.3])


def test_conv_trains_with_it_and_judges_without():
    net = backbone("conv", stochastic_depth=0.5)
    for stage in net.stages:
        torch.nn.init.ones_(stage.last[1].weight)
    x = batch(16)
    drawn = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        drawn.append(net.train()(x).pooled)
    assert not torch.equal(*drawn)
    assert torch.equal(net.eval()(x).pooled, net(x).pooled)
