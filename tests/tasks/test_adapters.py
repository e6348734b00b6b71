"""LoRA: it starts as the encoder was, trains little, and ends as an ordinary network."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("peft")

import headstart as hs
from headstart import backbones
from headstart.errors import UserError
from headstart.tasks import adapters
from headstart.types import Batch, Spec
from samples import batch, config_of, identical, supervised, weights
from texts import modality, rows

TABLE = Spec("mixed", (3,), cardinalities=(4,), edges=((-1.0, 0.0, 1.0), (-1.0, 1.0)))
PICTURES = Spec("continuous", (1, 8, 8), low=0.0, high=1.0)


def built(name):
    cls = backbones.table.load(name)
    torch.manual_seed(0)
    if "mixed" in cls.reads:
        x = torch.tensor([[0.5, -2.0, 1], [0.1, 3.0, 3], [-1.0, 0.2, 2]])
        return cls(config_of(cls.Config, dropout=0.0), TABLE), Batch(x)
    tokens = "tokens" in cls.reads
    encoder = cls(config_of(cls.Config), modality().spec if tokens else PICTURES)
    return encoder, Batch(rows()[:4] if tokens else torch.rand(4, 1, 8, 8))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(
            (n, "lora")
            for n in ("mlp", "conv", "resnet", "vit", "textconv", "causal", "fttransformer")
        ),
        *(("transformer", kind) for kind in ("lora", "rslora", "dora")),
        ("conv", "dora"),
    ],
)
def test_adapters_begin_as_nothing_learn_and_become_weights(name, kind):
    encoder, x = built(name)
    with torch.no_grad():
        before = encoder.eval()(x).pooled
    names = set(encoder.state_dict())
    adapters.adapt(encoder, 4, kind)
    torch.testing.assert_close(encoder.eval()(x).pooled, before)
    encoder.train()
    moving = {n: p for n, p in encoder.named_parameters() if p.requires_grad}
    assert all("lora" in n for n in moving)
    for _ in range(2):  # in the first step B is zero, and so is the gradient of A
        optimiser = torch.optim.SGD(moving.values(), 0.1)
        optimiser.zero_grad()
        encoder(x).pooled.square().sum().backward()
        assert [n for n, p in moving.items() if p.grad is None] == []
        optimiser.step()
    with torch.no_grad():
        learned = encoder.eval()(x).pooled
        assert not torch.allclose(learned, before)
        if name == "fttransformer":  # whose blocks have a way of their own in judging
            torch.testing.assert_close(encoder.train()(x).pooled, learned)
            encoder.eval()
        adapters.merge(encoder)
        torch.testing.assert_close(encoder(x).pooled, learned, atol=1e-4, rtol=1e-3)
    assert set(encoder.state_dict()) == names


def test_the_encoder_itself_stays(tmp_path):
    learner = supervised(mode="lora", lora=2)
    base = {n: w for n, w in weights(learner.encoder).items() if "lora" not in n}
    loss = learner.train()(batch(), player="all", progress=0.5).loss
    rates = learner.rates()
    optimiser = torch.optim.SGD([p for p in learner.parameters() if p.requires_grad], 0.1)
    loss.backward()
    optimiser.step()
    after = {n: w for n, w in weights(learner.encoder).items() if "lora" not in n}
    assert identical(base, after)
    assert set(rates.values()) == {1.0}


def test_adapters_need_something_learned():
    with pytest.raises(UserError, match="an encoder that has learned something"):
        supervised(pretrained=False, mode="lora")


def test_a_run_with_adapters_is_loaded_as_any_other(tmp_path, monkeypatch):
    encoder = hs.pretrain("digits", steps=5, out=tmp_path / "encoder")
    run = hs.finetune(
        "digits", start=encoder, mode="lora", steps=5, labels=50, out=tmp_path / "run"
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["mode"] == "lora"
    assert result["trainable_parameters"] < result["parameters"] / 2
    assert result["peak_memory"] > 2**20
    monkeypatch.setitem(__import__("sys").modules, "peft", None)  # not even the library is needed
    assert run.evaluate()["accuracy"] == pytest.approx(result["test"]["accuracy"])
    assert np.isfinite(run.embed("digits")).all()
