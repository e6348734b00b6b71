"""What is exported says what the run says: written, opened again, compared, or not written."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from tokenizers import Tokenizer

import headstart as hs
import texts
from headstart import backbones
from headstart.cli import main
from headstart.data.dataset import Samples
from headstart.data.texts import as_array
from headstart.errors import UserError
from headstart.export import write
from headstart.export.graph import Graph
from headstart.export.onnx import Onnx
from headstart.export.text_files import whole
from headstart.export.weights import read
from headstart.modalities.numeric import Numeric, NumericConfig
from headstart.types import Batch
from headstart.workflows.loaded import load_run
from samples import backbone as small

ALONE = """
import sys
sys.modules["torch"] = None  # `import torch` fails from here on
import json, numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
x = np.load(sys.argv[2])
said = session.run(["probabilities"], {session.get_inputs()[0].name: x})[0]
about = json.loads(session.get_modelmeta().custom_metadata_map["headstart"])
assert "headstart" not in sys.modules
print(json.dumps([about["classes"][i] for i in said.argmax(1)]))
"""


@pytest.fixture(scope="module")
def onnx(model_run, tmp_path_factory):
    pytest.importorskip("onnxscript")
    out = tmp_path_factory.mktemp("onnx") / "digits.onnx"
    return out, model_run.export(out)


def test_onnx_says_what_the_run_says_in_a_process_without_torch(onnx, model_run, tmp_path):
    out, found = onnx
    assert set(found["difference"]) == {"probabilities", "outputs", "features"}
    assert max(found["difference"].values()) < 1e-4
    pictures = (np.random.default_rng(0).random((5, 8, 8)) * 255).astype(np.uint8)
    np.save(tmp_path / "x.npy", pictures[:, None])
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(out), str(tmp_path / "x.npy")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == model_run.predict(pictures)["label"].tolist()


def test_eight_bits_are_a_quarter_and_their_cost_is_measured(onnx, model_run, tmp_path):
    from headstart.export.quantise import quantise

    out, _ = onnx
    copy = tmp_path / "digits.onnx"
    copy.write_bytes(out.read_bytes())
    run = load_run(model_run.path)
    samples = write._real(run, write.Request(copy))
    raw = Graph.of(run).door.raw(samples).numpy()
    assert "training samples" in quantise(copy, raw[:64])
    assert copy.stat().st_size < 0.5 * out.stat().st_size


def test_a_pretrained_run_gives_its_features_as_a_program(encoder_run, tmp_path):
    out = tmp_path / "encoder.pt2"
    found = hs.load(encoder_run.path).export(out)
    assert list(found["difference"]) == ["features"]
    x = torch.zeros(7, 1, 8, 8, dtype=torch.uint8)
    said = torch.export.load(out).module()(x)[0]
    wanted = encoder_run.embed(np.zeros((7, 8, 8), dtype=np.uint8))
    assert np.allclose(said.numpy(), wanted, atol=1e-5)


def test_safetensors_rebuild_the_network(model_run, tmp_path, capsys):
    out = tmp_path / "model.safetensors"
    assert main(["export", str(model_run.path), "--out", str(out), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == "safetensors"
    assert found["files"] == [str(out)]
    with safe_open(out, framework="np") as file:
        assert "encoder.stem.0.weight" in file.keys()  # noqa: SIM118
    x = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    assert read(out)(x)[0].sum() == pytest.approx(1)


def test_what_differs_is_refused_and_nothing_is_left(model_run, tmp_path, monkeypatch, capsys):
    kept = write._wanted

    def other(*arguments):
        return {name: value + 0.1 for name, value in kept(*arguments).items()}

    monkeypatch.setattr(write, "_wanted", other)
    out = tmp_path / "model.safetensors"
    assert main(["export", str(model_run.path), "--out", str(out)]) == 2
    assert "differs from the run: 'probabilities' by 0.1" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "{tmp}/model.xyz"], "names no format"),
        (["--out", "{tmp}/model.onnx", "--format", "onix"], "onnx"),
        (["--out", "{tmp}/model.pt", "--format", "torch"], ".pt2"),
        (["--out", "{tmp}/no/model.pt2"], "no folder"),
        (["--out", "{tmp}/model.pt2", "--quantize", "int8"], "--format onnx"),
        (["--out", "{tmp}/m.pt2", "--data", "nowhere"], "--data"),
    ],
)
def test_mistakes_are_named(model_run, tmp_path, capsys, arguments, message):
    given = [a.replace("{tmp}", str(tmp_path)) for a in arguments]
    assert main(["export", str(model_run.path), *given]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("backbone", "length"),
    [("transformer", 32), ("transformer", 96), ("textconv", 32), ("ngram", 32)],
)
def test_texts_are_one_graph_for_every_length(backbone, length):
    modality = texts.modality(length=length)
    table = backbones.table.load(backbone)
    sizes = {"buckets": 512} if backbone == "ngram" else {"depth": 1}
    torch.manual_seed(0)
    encoder = table(table.Config(width=16, dropout=0.0, **sizes), modality.spec).eval()
    graph = Graph(modality, encoder, None)
    sentences = texts.sentences()
    x = graph.door.raw(Samples(as_array(["a file", *sentences[:3], " ".join(sentences[:8])])))
    program = graph.program(x).module()
    narrow = 7 if length == 32 else 64
    with torch.no_grad():
        for part in (x, x[:1, :narrow], x[-1:]):
            assert torch.allclose(program(part)[0], encoder(Batch(part)).pooled, atol=1e-5)


def test_a_tokenizer_does_what_the_modality_does():

    modality = texts.modality()
    sentences = texts.sentences()
    some = [*sentences[:20], "  Öfter  mal\twas Neues\n", " ".join(sentences[:9])]
    wanted = modality.prepare(modality.tensor(Samples(as_array(some)))[0]).tolist()
    made = Tokenizer.from_str(json.dumps(whole(modality)))
    assert [e.ids for e in made.encode_batch(some)] == wanted


def test_rows_of_numbers_go_in_as_they_are():
    rows = np.random.default_rng(0).normal(5, 3, (50, 4))
    modality = Numeric.fit(Samples(rows), NumericConfig())
    graph = Graph(modality, small("mlp", modality.spec), None)
    raw = graph.door.raw(Samples(rows))
    assert torch.equal(graph.door(raw), modality.tensor(Samples(rows))[0])


def test_a_missing_package_says_what_to_install(model_run, tmp_path, monkeypatch):
    monkeypatch.setattr(Onnx, "needs", ("no_such_package",))
    with pytest.raises(UserError, match="headstart\\[export\\]"):
        model_run.export(tmp_path / "m.onnx")
