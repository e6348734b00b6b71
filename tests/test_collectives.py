"""Two processes that hold half a batch each find the gradient of one that holds all of it."""

from functools import partial

import pytest
import torch
import torch.distributed as dist

from forks import begun, ended
from headstart import collectives, objectives
from headstart.backbones.base import Backbone
from headstart.types import Batch, Features, Spec

NAMES = ("simclr", "vicreg", "barlow", "byol", "simsiam", "dino", "lejepa")
SPEC = Spec("continuous", (6,))
N = 8


class Bare(Backbone):
    """Two layers without batch normalisation, whose statistics are each process's own."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.dim = 5
        self.first, self.second = torch.nn.Linear(6, 8), torch.nn.Linear(8, 5)

    def forward(self, batch):
        return Features(self.second(self.first(batch.x).tanh()))

    def layers(self):
        return [self.first, self.second]


def without_norms(module):
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm1d):
            setattr(module, name, torch.nn.Identity())
        else:
            without_norms(child)


def gradients(name, x):
    """What one backward pass gives on views `[2, B, 6]`, and what the step weighs."""
    torch.manual_seed(0)
    cls = objectives.table.load(name)
    learner = cls(cls.Config(projector=(7, 4)), Bare(), SPEC).train()
    without_norms(learner)
    torch.manual_seed(1)
    step = learner(Batch(x.flatten(0, 1), views=2), player="all", progress=0.0)
    step.loss.backward()
    learner.after_step(0.0)
    found = {n: p.grad for n, p in learner.named_parameters() if p.grad is not None}
    return found, step.weight, dict(learner.named_buffers())


def sample():
    torch.manual_seed(2)
    x = torch.randn(N, 6)
    return torch.stack([x, x + 0.3 * torch.randn(N, 6)])


def half(rank, folder):
    """One of two processes: what it finds is in a file named after it."""
    results = {}
    meet = f"file://{folder / 'point'}"
    dist.init_process_group("gloo", init_method=meet, rank=rank, world_size=2)
    torch.set_num_threads(1)
    assert (collectives.world_size(), collectives.rank()) == (2, rank)
    mine = sample()[:, rank * N // 2 : (rank + 1) * N // 2]
    rows = torch.arange(2.0).view(2, 1) + 10 * rank
    results["gather", rank] = collectives.gather(rows).flatten().tolist()
    results["mean", rank] = float(collectives.mean_over_processes(torch.tensor(float(rank))))
    results["sum", rank] = float(collectives.sum_over_processes(torch.tensor(float(rank + 1))))
    for name in NAMES:
        found, weight, buffers = gradients(name, mine)
        for gradient in found.values():
            dist.all_reduce(gradient)
            gradient.div_(2)  # every process weighs the same
        results[name, rank] = found, weight, buffers
    dist.destroy_process_group()
    torch.save(results, folder / f"{rank}.pt")
    return 0


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meet")
    pids = [begun(partial(half, rank, folder), folder / f"said-{rank}") for rank in (0, 1)]
    said = [(ended(pid), (folder / f"said-{rank}").read_text()) for rank, pid in enumerate(pids)]
    assert said == [(0, ""), (0, "")]
    return torch.load(folder / "0.pt") | torch.load(folder / "1.pt")


def test_processes_share_rows_means_and_sums(two):
    for rank in (0, 1):
        assert two["gather", rank] == [0.0, 1.0, 10.0, 11.0]
        assert two["mean", rank] == 0.5
        assert two["sum", rank] == 3.0


def test_alone_nothing_is_changed():
    x = torch.randn(3, 2)
    for function in (
        collectives.gather,
        collectives.mean_over_processes,
        collectives.sum_over_processes,
    ):
        assert function(x) is x
    assert (collectives.world_size(), collectives.rank()) == (1, 0)


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_find_the_gradient_of_one(two, name):
    alone, _, buffers = gradients(name, sample())
    assert two[name, 0][1] == two[name, 1][1]
    for rank in (0, 1):
        found = two[name, rank][0]
        assert found.keys() == alone.keys()
        for key, value in alone.items():
            torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-6)
        for key, value in buffers.items():
            torch.testing.assert_close(two[name, rank][2][key], value)
