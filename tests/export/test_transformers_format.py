"""Folders that Hugging Face transformers load give the run's answers."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import texts
from headstart import backbones, tasks
from headstart.data.dataset import Samples
from headstart.data.texts import text_array
from headstart.export.base import Work
from headstart.export.graph import Graph
from headstart.export.transformers import CODE, Transformers
from samples import config_of, digits, image

# What others say while they load is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


def work(modality, name, raw, classes, **settings):
    """A network of random weights, whose head has seen something, ready to be written."""
    torch.manual_seed(0)
    cls = backbones.table.load(name)
    encoder = cls(config_of(cls.Config, **settings), modality.spec)
    task = None
    state = modality.state()
    config = {"backbone": {"name": name, **settings}}
    if classes:
        kind = tasks.table.load("classification")
        state["task"] = {"classes": classes, "counts": [1] * len(classes), "temperature": 1.7}
        task = kind(config_of(kind.Config), encoder.dim, state["task"])
        torch.nn.init.normal_(task.head[2].weight)
        torch.nn.init.normal_(task.head[2].bias)
        task.head[0].running_mean.normal_()
        task.head[0].running_var.uniform_(0.5, 2)
        config["task"] = {"name": "classification"}
    return Work(Graph(modality, encoder, task), raw, {}, state, config)


@pytest.mark.parametrize("classes", [list(range(10)), None])
def test_a_vit_is_their_own_architecture(tmp_path, classes):
    x = digits()[0][:5]
    made = work(image(), "vit", x, classes, patch=2)
    out = tmp_path / "vit"
    Transformers.write(out, made)
    assert not (out / CODE).exists()
    said = Transformers.opened(out)(x.numpy())
    with torch.no_grad():
        wanted = dict(zip(made.graph.names, made.graph(x), strict=True))
    assert list(said) == ["probabilities" if classes else "features"]
    for name, value in said.items():
        assert np.allclose(value, wanted[name].numpy(), atol=1e-5)


def test_other_networks_come_with_code(tmp_path):
    from transformers import pipeline

    modality = texts.modality()
    sentences = texts.sentences()[:4]
    raw = modality.prepare(modality.tensor(Samples(text_array(sentences)))[0])
    made = work(modality, "textconv", raw, ["no", "yes"], width=16, depth=1)
    out = tmp_path / "textconv"
    Transformers.write(out, made)
    said = Transformers.opened(out)(raw.numpy())["probabilities"]
    with torch.no_grad():
        wanted = made.graph(raw)[0].numpy()
    assert np.allclose(said, wanted, atol=1e-5)
    assert json.loads((out / "config.json").read_text())["id2label"] == {"0": "no", "1": "yes"}
    ask = pipeline("text-classification", str(out), trust_remote_code=True, top_k=None)
    for sentence, law in zip(sentences, wanted, strict=True):
        found = {one["label"]: one["score"] for one in ask([sentence])[0]}
        assert found["yes"] == pytest.approx(law[1], abs=1e-5)
