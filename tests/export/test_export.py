"""What is exported says what the run says: written, opened again, compared, or not written."""

import csv
import json
import re
import subprocess
import sys
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from safetensors import safe_open
from sklearn.datasets import load_digits
from tokenizers import Tokenizer

import headstart as hs
import texts
from headstart import backbones, tasks
from headstart.cli import main
from headstart.data.csvs import MISSING
from headstart.data.dataset import Samples
from headstart.data.sources import open_dataset
from headstart.data.texts import text_array
from headstart.errors import UserError
from headstart.export import write
from headstart.export.base import Work
from headstart.export.doors import Sounds, door_of
from headstart.export.graph import Graph, describe
from headstart.export.onnx import Onnx
from headstart.export.text_files import whole
from headstart.export.transformers import Transformers
from headstart.export.weights import read
from headstart.export.write import _beside
from headstart.modalities.audio import Audio, AudioConfig
from headstart.modalities.numeric import Numeric, NumericConfig
from headstart.modalities.series import Series, SeriesConfig
from headstart.types import Batch
from headstart.workflows.loaded import load_run
from samples import backbone as small
from samples import config_of
from sounds import tones

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


def test_eight_bits_leave_the_map_of_pitches_exact(tmp_path):
    """It once was quantised as convolutions are, and recordings became noise."""
    pytest.importorskip("onnxscript")
    import onnx

    from headstart.export.quantise import quantise

    train = open_dataset(str(tones(tmp_path / "tones", 6))).splits["train"]
    modality = Audio.fit(train, AudioConfig(mels=16))
    table = backbones.table.load("audioconv")
    torch.manual_seed(0)
    graph = Graph(modality, table(table.Config(widths=[4, 8]), modality.spec), None)
    raw = graph.door.raw(train)
    state = modality.state()
    path = tmp_path / "tones.onnx"
    Onnx.write(path, Work(graph, raw, describe(state, {}, graph), state, {}))
    assert quantise(path, raw.numpy()).startswith("int8, static")
    nodes = onnx.load(path).graph.node
    maker = {name: node for node in nodes for name in node.output}
    assert any(node.op_type == "QuantizeLinear" for node in nodes)
    (logarithm,) = [node for node in nodes if node.op_type == "Log"]  # the map's last step but one
    behind, seen = [logarithm], set()
    while behind:
        node = behind.pop()
        seen.add(node.op_type)
        behind += [maker[name] for name in node.input if name in maker]
    assert "Conv" in seen
    assert not any("QuantizeLinear" in kind for kind in seen)


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
    [
        ("transformer", 32),
        ("transformer", 64),
        ("transformer", 96),
        ("textconv", 32),
        ("ngram", 32),
    ],
)
def test_texts_are_one_graph_for_every_length(backbone, length):
    modality = texts.modality(length=length)
    table = backbones.table.load(backbone)
    sizes = {"buckets": 512} if backbone == "ngram" else {"depth": 1}
    torch.manual_seed(0)
    encoder = table(table.Config(width=16, dropout=0.0, **sizes), modality.spec).eval()
    graph = Graph(modality, encoder, None)
    sentences = texts.sentences()
    x = graph.door.raw(Samples(text_array(["a file", *sentences[:3], " ".join(sentences[:8])])))
    program = graph.program(x).module()
    narrow = 7 if length == 32 else 64
    with torch.no_grad():
        for part in (x, x[:1, :narrow], x[-1:]):
            assert torch.allclose(program(part)[0], encoder(Batch(part)).pooled, atol=1e-5)


def test_a_tokenizer_does_what_the_modality_does():

    modality = texts.modality()
    sentences = texts.sentences()
    some = [*sentences[:20], "  Öfter  mal\twas Neues\n", " ".join(sentences[:9])]
    wanted = modality.prepare(modality.tensor(Samples(text_array(some)))[0]).tolist()
    made = Tokenizer.from_str(json.dumps(whole(modality)))
    assert [e.ids for e in made.encode_batch(some)] == wanted


def test_rows_of_numbers_go_in_as_they_are():
    rows = np.random.default_rng(0).normal(5, 3, (50, 4))
    modality = Numeric.fit(Samples(rows), NumericConfig())
    graph = Graph(modality, small("mlp", modality.spec), None)
    raw = graph.door.raw(Samples(rows))
    assert torch.equal(graph.door(raw), modality.tensor(Samples(rows))[0])


def test_several_labels_are_told_as_the_run_tells_them(tmp_path):
    pytest.importorskip("onnxruntime")
    script = _script()
    x = Samples(np.eye(2), np.array(["cat|dog", "cat"]))
    modality, kind = Numeric.fit(x, NumericConfig()), tasks.table.load("multilabel")
    encoder = small("mlp", modality.spec)
    task = kind(config_of(kind.Config), encoder.dim, kind.fit(None, x.targets))
    torch.nn.init.normal_(task.head[2].weight)
    graph = Graph(modality, encoder, task)
    with torch.no_grad():
        said = dict(zip(graph.names, graph(graph.door.raw(x)), strict=True))
    config = {"task": {"threshold": 0.5}}
    script.about = describe({**modality.state(), "task": {"classes": task.classes}}, config, graph)
    script.classes = task.classes
    rows = list(script.rows({name: value.numpy() for name, value in said.items()}))
    wanted = task.columns(said["outputs"])
    assert [row["labels"] for row in rows] == wanted["labels"].tolist()
    assert [row["probability_dog"] for row in rows] == pytest.approx(wanted["probability_dog"])
    work = Work(Graph(texts.modality(), encoder, task), graph.door.raw(x), {}, {}, {})
    with pytest.raises(UserError, match="--task multilabel"):
        Transformers.write(tmp_path / "out", work)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_samples_that_a_run_left_out_are_left_out_of_the_comparison(tmp_path, quantize):
    pytest.importorskip("onnxscript")
    rng = np.random.default_rng(0)
    for i in range(60):
        folder = tmp_path / "data" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        if i % 5 == 0:
            (folder / f"{i}.png").write_bytes(b"no picture")
    run = hs.finetune(
        tmp_path / "data", on_bad="skip", steps=2, out=tmp_path / "run",
        backbone={"name": "mlp", "widths": [8]},
    )  # fmt: skip
    left_out = run.result["skipped"]["test"]
    found = run.export(tmp_path / "a.onnx", quantize=quantize)
    assert left_out
    assert found["samples"] == 12 - len(left_out)


def test_other_samples_than_the_runs_are_what_is_compared(tmp_path):
    """Though the run had a test file of its own, and a target that they lack."""
    for name, rows in (("train", 40), ("test", 10)):
        lines = [f"{i},{i % 7},{'yes' if i % 2 else 'no'}" for i in range(rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["a,b,kind", *lines]), encoding="utf-8")
    (tmp_path / "new.csv").write_text("b,a\n1,2\n3,4\n5,6\n", encoding="utf-8")
    run = hs.finetune(
        str(tmp_path / "train.csv"), test=str(tmp_path / "test.csv"), target="kind", steps=2,
        out=tmp_path / "run", baselines=False, report=False, verbose=False,
    )  # fmt: skip
    loaded = load_run(run.path)
    own = write._real(loaded, write.Request(tmp_path / "m.pt2", None, None))
    other = write._real(loaded, write.Request(tmp_path / "m.pt2", None, str(tmp_path / "new.csv")))
    assert (len(own), len(other)) == (10, 3)


def test_a_place_that_cannot_be_written_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="cannot write in"):
        _beside(tmp_path / "gone" / "model.onnx")


def test_a_missing_package_says_what_to_install(model_run, tmp_path, monkeypatch):
    monkeypatch.setattr(Onnx, "needs", ("no_such_package",))
    with pytest.raises(UserError, match="headstart\\[export\\]"):
        model_run.export(tmp_path / "m.onnx")


@pytest.fixture(scope="module")
def folder(onnx, tmp_path_factory):
    """What `--format script` and `--format sklearn` write, around the graph there is already."""
    from headstart.export.folders import SHARED, Script, Sklearn

    path = tmp_path_factory.mktemp("folder")
    (path / "model.onnx").write_bytes(onnx[0].read_bytes())
    templates = files("headstart.export").joinpath("templates")
    for name in (SHARED, Script.own, Sklearn.own):
        (path / name).write_text(templates.joinpath(name).read_text())
    return path


def test_the_script_reads_pictures_as_the_run_does(folder, model_run, tmp_path):
    images = (load_digits().images[:3] * 255 / 16).astype(np.uint8)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(np.kron(image, np.ones((3, 3), np.uint8))).save(path)
    done = subprocess.run(
        [sys.executable, str(folder / "predict.py"), *map(str, paths)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    wanted = model_run.predict(paths)
    assert [row["label"] for row in rows] == [str(label) for label in wanted["label"]]
    assert float(rows[0]["probability_0"]) == pytest.approx(wanted["probability_0"][0], abs=1e-5)


def test_the_estimator_works_with_scikit_learn(folder, model_run, monkeypatch):
    from headstart.export.folders import Script, Sklearn

    images = load_digits().images[:4] * 255 / 16
    raw = images.astype(np.uint8)[:, None]
    said = Sklearn.opened(folder)(raw)
    assert np.allclose(said["probabilities"], Script.opened(folder)(raw)["probabilities"])
    monkeypatch.syspath_prepend(str(folder))
    from headstart_sklearn import load
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.utils.validation import check_is_fitted

    estimator = clone(load())
    check_is_fitted(estimator)
    chances = make_pipeline(estimator).predict_proba(images.reshape(4, -1))
    wanted = model_run.predict(images.round().astype(np.uint8))
    assert estimator.predict(images).tolist() == wanted["label"].tolist()
    assert np.allclose(chances[:, 0], wanted["probability_0"], atol=1e-5)
    assert estimator.transform(raw).shape == said["features"].shape


def _script():
    """The script's model, with no graph read yet."""
    path = files("headstart.export").joinpath("templates", "headstart_model.py")
    spec = spec_from_file_location("headstart_model", str(path))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return object.__new__(module.Model)


def test_the_scripts_tables_are_the_modalitys():
    from headstart.data.cells import joined
    from headstart.modalities.tabular import Table, TableConfig

    rng = np.random.default_rng(0)
    age = rng.normal(40, 12, 60)
    age[::9] = np.nan
    work = np.array([["office", "field", ""][i % 3] for i in range(60)], dtype=object)
    size = np.repeat([1.0, 2.0, 3.0], 20)
    code = np.array([["007", "7", "1e3"][i % 3] for i in range(60)], dtype=object)
    fit = np.array([["true", "false"][i % 2] for i in range(60)], dtype=object)
    cells = joined({"age": age, "work": work, "size": size, "code": code, "fit": fit})
    modality = Table.fit(Samples(cells), TableConfig(types={"size": "category"}))
    model = _script()
    model.about = {"preprocessing": modality.state()}
    rows = [
        {"age": "" if np.isnan(a) else repr(float(a)), "work": w, "size": s, "code": c, "fit": f}
        for a, w, s, c, f in zip(age, work, size, code, fit == "true", strict=True)
    ]
    rows += [{"age": "400", "work": "abroad", "size": "7"}, {"age": "-3", "work": None, "size": 2}]
    rows += [{"age": word, "work": word, "size": "1"} for word in sorted(MISSING)]  # as CSV has it
    more = joined({
        "age": np.append(age, [400, -3, *[np.nan] * len(MISSING)]),
        "work": np.append(work, ["abroad", "", *[""] * len(MISSING)]),
        "size": np.append(size, [7, 2, *[1.0] * len(MISSING)]),
        "code": np.append(code, [""] * (2 + len(MISSING))),
        "fit": np.append(fit, [""] * (2 + len(MISSING))),
    })  # fmt: skip
    assert np.allclose(model.table(rows), modality.tensor(Samples(more))[0], atol=1e-6)


def test_the_script_reads_recordings_as_the_run_does(tmp_path, monkeypatch):
    """Of other rates, too long, stereo, with silence; the file it reads with is a copy of ours."""
    rng = np.random.default_rng(0)
    for i, (rate, seconds) in enumerate([(8_000, 0.4), (8_000, 0.5), (11_025, 0.5), (16_000, 3)]):
        time = np.arange(round(rate * seconds)) / rate
        wave = np.sin(600 * (i + 1) * time) * (time > 0.1) / 4 + 1e-4 * rng.normal(size=len(time))
        soundfile.write(tmp_path / f"{i}.wav", np.stack([wave, wave / 2], 1)[:, : 1 + i % 2], rate)
    (tmp_path / "list.csv").write_text("file,y\n" + "".join(f"{i}.wav,{i % 2}\n" for i in range(4)))
    train = open_dataset(str(tmp_path / "list.csv"), target="y").splits["train"]
    wanted = {}
    for windows in (1, 2):
        modality = Audio.fit(train, AudioConfig(rate=8_000, window=0.4, windows=windows))
        wanted[windows] = modality.tensor(train)[0], Sounds(modality).about()
    copy = files("headstart.data").joinpath("hearing.py")
    spec = spec_from_file_location("headstart_hearing", str(copy))
    assert not re.search(r"^(from|import) headstart", copy.read_text(), re.MULTILINE)
    monkeypatch.setitem(sys.modules, "headstart_hearing", module_from_spec(spec))
    spec.loader.exec_module(sys.modules["headstart_hearing"])
    script = _script()
    for rows, about in wanted.values():
        script.about, script.kind = {"input": json.loads(json.dumps(about))}, "audio"
        names = [str(name) for name in train.inputs]
        assert np.array_equal(script.read(names), rows.numpy())


def test_the_scripts_series_are_the_modalitys(tmp_path):
    x = np.random.default_rng(0).normal(size=(6, 2, 9)).astype(np.float32)
    x[0, 1, 3], x[2:4, :, 7:] = np.nan, np.nan
    modality = Series.fit(Samples(x), SeriesConfig())
    script = _script()
    script.kind = "series"
    script.about = {"preprocessing": modality.state(), "input": door_of(modality).about()}
    np.save(tmp_path / "x.npy", x[:, :, :8].astype(np.float64))
    wanted = modality.tensor(Samples(x[:, :, :8]))[0].numpy()
    found = script.read([str(tmp_path / "x.npy")])
    assert np.array_equal(found, wanted, equal_nan=True)
    assert found.dtype == np.float32
    with pytest.raises(SystemExit, match="2 channels of at most 9 steps"):
        script.series(x[:, 0])
    script.about["preprocessing"] = {**modality.state(), "flagged": False}
    with pytest.raises(SystemExit, match="missing"):
        script.series(x)


def test_the_map_of_pitches_is_a_graph_without_complex_numbers():
    from headstart.modalities.sound import LogMel

    log_mel = LogMel(8_000, 12, 200, 80, 1e-4)

    class Layer(torch.nn.Module):
        def forward(self, waves):
            return log_mel(waves)

    waves = torch.randn(3, 1600, generator=torch.Generator().manual_seed(0)) / 10
    free = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(Layer(), (waves,), dynamic_shapes=free).module()
    assert torch.allclose(program(waves[:2]), log_mel(waves[:2]), atol=1e-4)
