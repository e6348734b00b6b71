"""Public encoders: what they give equals transformers' own forward pass, from disk alone."""

import json
import shutil
import sys
import types

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import headstart as hs
from headstart import backbones, modalities
from headstart.backbones.hub import choice
from headstart.data import snapshots
from headstart.data.dataset import Samples
from headstart.data.texts import text_array
from headstart.errors import UserError
from headstart.settings import Faults
from headstart.types import Batch
from headstart.workflows import assemble
from public import PICTURES, picture_model, text_model
from texts import sentences


def built(folder, samples, kind, **settings):
    """The modality that a public model asks for, fitted, and the encoder with its weights."""
    faults = Faults()
    backbone = assemble.component(
        backbones.table, {"name": f"hub:{folder}", **settings}, "", "backbone", faults
    )
    plain = assemble.component(modalities.table, {}, kind, "modality", faults)
    chosen = assemble.suited(plain, backbone, {}, faults)
    faults.raise_if_any()
    modality = chosen.cls.fit(samples, chosen.config)
    said = []
    encoder = assemble.build_backbone(backbone, modality.spec, 0, said.append).eval()
    assert settings.get("weights") is False or "tensors match" in said[0]
    return modality, encoder


def texts():
    return Samples(text_array(sentences()[:24]))


@pytest.mark.parametrize("kind", ["bert", "roberta", "modernbert", "distilbert", "electra"])
def test_texts_are_cut_and_read_as_transformers_does(kind, tmp_path):
    from transformers import PreTrainedTokenizerFast

    model = text_model(tmp_path, kind)
    theirs = PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "tokenizer.json"), pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]",
    )  # fmt: skip
    modality, encoder = built(tmp_path, texts(), "text")
    x = modality.prepare(modality.tensor(texts())[0])
    own = theirs(sentences()[:24], add_special_tokens=False)["input_ids"]
    cls, sep = theirs.cls_token_id, theirs.sep_token_id
    assert [row[row != modality.vocabulary.pad].tolist() for row in x] == [
        [cls, *ids[: x.shape[1] - 2], sep] for ids in own
    ]
    there = x != modality.vocabulary.pad
    with torch.no_grad():
        found = encoder(Batch(x))
        wanted = model(input_ids=x, attention_mask=there.long()).last_hidden_state
    assert torch.equal(found.mask, there)
    torch.testing.assert_close(found.tokens[there], wanted[there], atol=1e-5, rtol=1e-4)
    mean = (wanted * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)
    torch.testing.assert_close(found.pooled, mean, atol=1e-5, rtol=1e-4)


def test_texts_that_share_a_row_do_not_see_one_another(tmp_path):
    text_model(tmp_path)
    modality, encoder = built(tmp_path, texts(), "text")
    x = modality.prepare(modality.tensor(texts())[0])
    v = modality.vocabulary
    one, other = (row[row != v.pad][:20] for row in x[:2])
    row = torch.cat([one, other, torch.full((5,), v.pad)])[None]
    with torch.no_grad():
        together = encoder.read(row, row != v.pad)[0]
        apart = [encoder.read(part[None], part[None] != v.pad)[0] for part in (one, other)]
    torch.testing.assert_close(together[: len(one) + len(other)], torch.cat(apart))
    assert not together[len(one) + len(other) :].any()


def test_rows_wider_than_a_window_are_read_window_by_window(tmp_path):
    text_model(tmp_path)
    _, encoder = built(tmp_path, texts(), "text")
    width = encoder.vocabulary.window
    row = torch.randint(10, 300, (2, 3 * width))
    row[1, width + 3 :] = encoder.vocabulary.pad
    with torch.no_grad():
        whole = encoder.read(row, row != encoder.vocabulary.pad)
        first = encoder.read(row[:, :width], torch.ones(2, width, dtype=torch.bool))
    assert whole.isfinite().all()
    torch.testing.assert_close(whole[:, :width], first)


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_are_seen_as_transformers_does(kind, tmp_path):
    model = picture_model(tmp_path, kind)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)
    modality, encoder = built(tmp_path, Samples(pixels), "image")
    assert modality.mean == [0.5, 0.4, 0.3]
    x = modality.prepare(modality.tensor(Samples(pixels))[0])
    assert x.shape[1:] == ((3, 32, 32) if kind in ("swin", "convnext") else (3, 16, 16))
    with torch.no_grad():
        found, wanted = encoder(Batch(x)), model(pixel_values=x)
    tokens = wanted.last_hidden_state
    tokens = tokens.flatten(2).transpose(1, 2) if tokens.ndim == 4 else tokens
    torch.testing.assert_close(found.tokens, tokens)
    own = tokens[:, 0] if kind == "vit" else wanted.pooler_output.flatten(1)
    torch.testing.assert_close(found.pooled, own)
    assert encoder.dim == own.shape[1]


def test_pictures_may_have_another_size(tmp_path):
    picture_model(tmp_path, "dinov2")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)
    faults = Faults()
    name = {"name": f"hub:{tmp_path}"}
    backbone = assemble.component(backbones.table, name, "", "backbone", faults)
    plain = assemble.component(modalities.table, {}, "image", "modality", faults)
    chosen = assemble.suited(plain, backbone, {"size": 24}, faults)
    modality = chosen.cls.fit(Samples(pixels), chosen.config)
    encoder = assemble.build_backbone(backbone, modality.spec, 0)
    x = modality.prepare(modality.tensor(Samples(pixels))[0])
    assert encoder(Batch(x)).tokens.shape == (6, 1 + 36, 32)


@pytest.mark.parametrize("kind", ["bert", "modernbert", "distilbert", *PICTURES])
def test_layers_hold_every_weight_once_from_the_input_up(kind, tmp_path):
    if kind in PICTURES:
        picture_model(tmp_path, kind)
        pixels = np.zeros((4, 16, 16, 3), dtype=np.uint8)
        _, encoder = built(tmp_path, Samples(pixels), "image")
    else:
        text_model(tmp_path, kind)
        _, encoder = built(tmp_path, texts(), "text")
    found = [p for layer in encoder.layers() for p in layer.parameters()]
    assert len(found) == len(set(found))
    assert set(found) == set(encoder.parameters())
    names = {p: n for n, p in encoder.named_parameters()}
    assert any("embed" in names[p] for p in encoder.layers()[0].parameters())
    assert len(encoder.layers()) >= 4


def test_every_weight_that_moves_is_reached_by_a_gradient(tmp_path):
    picture_model(tmp_path, "dinov2")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    modality, encoder = built(tmp_path, Samples(pixels), "image")
    found = encoder.train()(Batch(modality.prepare(modality.tensor(Samples(pixels))[0])))
    (found.pooled.square().sum() + found.tokens.square().sum()).backward()
    assert [n for n, p in encoder.named_parameters() if p.requires_grad and p.grad is None] == []


def test_without_its_weights_the_architecture_is_new(tmp_path):
    model = text_model(tmp_path)
    _, encoder = built(tmp_path, texts(), "text", weights=False)
    assert not encoder.pretrained
    assert encoder.rate == 1.0
    own, theirs = encoder.embedding.weight, model.get_input_embeddings().weight
    assert own.shape == theirs.shape
    assert not torch.equal(own, theirs)


def test_a_run_needs_its_snapshot_no_longer(tmp_path):
    """Pre-train on, fine-tune, and ask: all that is needed is in the run."""
    folder = tmp_path / "model"
    folder.mkdir()
    text_model(folder)
    source = tmp_path / "texts.csv"
    rows = [f'"{t}",{int("path" in t.lower())}' for t in sentences()[:120] if '"' not in t]
    source.write_text("\n".join(["text,label", *rows]))
    encoder = hs.pretrain(
        source, backbone=f"hub:{folder}", text_column="text", target="label", steps=3, batch_size=8,
        out=tmp_path / "encoder",
    )  # fmt: skip
    shutil.rmtree(folder)
    run = hs.finetune(
        source, start=encoder, text_column="text", target="label", steps=3, batch_size=8,
        out=tmp_path / "run",
    )  # fmt: skip
    assert "tensors match" in run.result["hand_over"]
    assert len(run.predict(["a path", "another"])["label"]) == 2
    assert run.embed(["a path"]).shape == (1, 32)


def test_pictures_are_learned_on_by_views(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    picture_model(folder, "resnet")
    run = hs.pretrain(
        "digits", objective="simclr", backbone=f"hub:{folder}", steps=2, batch_size=16,
        out=tmp_path / "encoder",
    )  # fmt: skip
    model = hs.finetune("digits", start=run, steps=2, labels=40, out=tmp_path / "run")
    assert model.embed("digits").shape[1] == 24


def test_settings_are_the_models_own_unless_others_are_asked_for(tmp_path):
    text_model(tmp_path, "roberta")
    modality, encoder = built(tmp_path, texts(), "text")
    assert modality.window == 66 - 1 - encoder.vocabulary.pad
    assert encoder.rate == 0.05


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "can run code"),
        (lambda f: (f / "model.safetensors").unlink(), "holds no weights"),
        (lambda f: (f / "config.json").write_text('{"model_type": "mine"}'), "does not know"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "config.json").unlink(), "there is no model in"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(spoil, said, tmp_path):
    text_model(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError, match=said):
        built(tmp_path, texts(), "text")


def test_a_name_that_is_not_on_disk_needs_the_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="nobody/nothing is not on this machine") as error:
        snapshots.locate("nobody/nothing")
    assert "hf download nobody/nothing" in error.value.hints[0]
    with pytest.raises(UserError, match="neither a folder nor the name"):
        snapshots.locate("what?")


def test_what_a_config_would_fetch_or_run_is_left_out(tmp_path):
    """A stranger's folder, or run, names code, pickles and other places to look in."""
    from headstart.backbones.hub import networks

    picture_model(tmp_path, "resnet")
    path = tmp_path / "config.json"
    told = json.loads(path.read_text())
    bad = {"auto_map": {"AutoModel": "evil--code.Model"}, "attn_implementation": "evil/kernel"}
    path.write_text(json.dumps({**told, **bad}))
    _, raw = choice.chosen(str(tmp_path), {})
    assert not set(bad) & set(raw["config"])
    made = networks._settings({**told, **bad}, "run")
    assert not hasattr(made, "auto_map")
    assert networks.built({**told, **bad}, "run").config._attn_implementation != "evil/kernel"


def test_timm_is_read_as_timm_does(tmp_path):
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = timm.create_model("resnet10t", num_classes=5).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    card = {"input_size": [3, 32, 32], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]}
    told = {"architecture": "resnet10t", "num_classes": 5, "pretrained_cfg": card}
    (tmp_path / "config.json").write_text(json.dumps(told))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    modality, encoder = built(tmp_path, Samples(pixels), "image")
    x = modality.prepare(modality.tensor(Samples(pixels))[0])
    with torch.no_grad():
        wanted = model.forward_head(model.forward_features(x), pre_logits=True)
        torch.testing.assert_close(encoder(Batch(x)).pooled, wanted)


def test_a_timm_architecture_is_a_name_and_nothing_else(monkeypatch):
    from headstart.backbones.hub import networks

    monkeypatch.setitem(sys.modules, "timm", types.ModuleType("timm"))
    with pytest.raises(UserError, match="no architecture of timm"):
        networks.built({"architecture": "hf-hub:evil/model"}, "run")


def test_a_model_of_texts_does_not_read_pictures(tmp_path):
    text_model(tmp_path)
    with pytest.raises(UserError, match="does not read samples of kind 'continuous'"):
        hs.finetune("digits", backbone=f"hub:{tmp_path}", steps=1, out=tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "modernbert", "vit", "resnet"])
def test_a_run_is_exported(kind, tmp_path):
    pytest.importorskip("onnxscript")
    folder = tmp_path / "model"
    folder.mkdir()
    if kind in PICTURES:
        picture_model(folder, kind)
        run = hs.finetune("digits", backbone=f"hub:{folder}", steps=2, out=tmp_path / "run")
    else:
        text_model(folder, kind)
        source = tmp_path / "texts.csv"
        rows = [f'"{t[:60]}",{i % 2}' for i, t in enumerate(sentences()[:80]) if '"' not in t]
        source.write_text("\n".join(["text,label", *rows]))
        run = hs.finetune(
            source, backbone=f"hub:{folder}", text_column="text", target="label", steps=2,
            out=tmp_path / "run",
        )  # fmt: skip
    run.export(tmp_path / "run.onnx")
