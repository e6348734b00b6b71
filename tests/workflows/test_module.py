"""A run's encoder in a loop of one's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import headstart as hs
from headstart.errors import UserError
from samples import digits


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return hs.pretrain("digits", steps=20, out=tmp_path_factory.mktemp("runs") / "encoder")


def test_it_gives_what_embed_gives(run):
    x, _ = digits()
    encoder = run.encoder
    assert isinstance(encoder, nn.Module)
    found = encoder(encoder.tensor(x[:9, 0].numpy()))
    assert found.shape == (9, encoder.dim)
    torch.testing.assert_close(found.detach(), torch.from_numpy(run.embed(x[:9, 0].numpy())))
    with pytest.raises(UserError, match="of kind 'table'; the encoder reads 'image'"):
        encoder.tensor(x[:9, 0, 0].numpy())


def test_a_plain_loop_trains_it(run):
    x, y = digits()
    torch.manual_seed(0)
    network = nn.Sequential(run.encoder, nn.BatchNorm1d(run.encoder.dim), nn.LazyLinear(10)).train()
    network(x[:8])  # the head learns how wide it is
    before = {n: p.clone() for n, p in network.named_parameters()}
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(4):
        for part, labels in DataLoader(TensorDataset(x, y), 64, shuffle=True):
            optimiser.zero_grad()
            loss = F.cross_entropy(network(part), labels)
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2
    assert all(not torch.equal(before[n], p) for n, p in network.named_parameters())


def test_lightning_takes_it(run):
    lightning = pytest.importorskip("lightning")
    x, y = digits()

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.encoder = run.encoder
            self.head = nn.Linear(self.encoder.dim, 10)

        def training_step(self, batch, index):
            return F.cross_entropy(self.head(self.encoder(batch[0])), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters())

    trainer = lightning.Trainer(
        max_steps=2, accelerator="cpu", logger=False, enable_progress_bar=False
    )
    trainer.fit(Model(), DataLoader(TensorDataset(x, y), 32))


def test_its_tokens_are_the_backbones(run):
    encoder = run.encoder
    tokens, _mask = encoder.tokens(digits()[0][:3])
    assert tokens is None or tokens.shape[0] == 3
