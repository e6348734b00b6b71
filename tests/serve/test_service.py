"""The service as programs meet it: answers as `predict` gives them, refusals with a sentence."""

import asyncio
import base64
import io
import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("fastapi")
pytest.importorskip("httpx")
pytest.importorskip("python_multipart")

from PIL import Image
from sklearn.datasets import load_digits
from starlette.testclient import TestClient

import headstart as hs
import texts
from headstart.cli import main
from headstart.errors import UserError
from headstart.serve.app import build
from headstart.serve.batching import Batcher, FullError
from headstart.serve.config import ServeConfig
from headstart.serve.explain import _lost
from headstart.serve.guard import Guard, Refusal, TokenBucket
from headstart.serve.metrics import Metrics
from headstart.serve.reading import _number
from headstart.settings import Size
from headstart.tasks.classification import Classification, ClassificationConfig
from headstart.workflows.loaded import load_run

HOME = "http://127.0.0.1:8000"


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def pictures():
    return [png(image) for image in (load_digits().images[:4] * 255 / 16).astype(np.uint8)]


@pytest.fixture(scope="module")
def client(model_run):
    app = build(load_run(model_run.path), ServeConfig(neighbours=200, rate=0))
    with TestClient(app, base_url=HOME) as client:
        yield client


def test_answers_are_those_of_predict(client, pictures, model_run, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for path, data in zip(paths, pictures, strict=True):
        path.write_bytes(data)
    wanted = model_run.predict(paths)
    encoded = [base64.b64encode(data).decode() for data in pictures]
    said = client.post("/predict", json={"inputs": encoded}).json()["predictions"]
    form = [("files", (f"{i}.png", data)) for i, data in enumerate(pictures)]
    assert client.post("/predict", files=form).json()["predictions"] == said
    assert [row["label"] for row in said] == wanted["label"].tolist()
    assert said[1]["probabilities"]["7"] == pytest.approx(float(wanted["probability_7"][1]))
    features = client.post("/embed", json={"inputs": encoded[:1]}).json()["embeddings"]
    assert np.allclose(features, model_run.embed(paths[:1]), atol=1e-5)


def test_an_answer_is_explained(client, pictures):
    said = client.post("/explain", files={"files": ("0.png", pictures[0])}).json()
    assert said["drove"]["kind"] == "places"
    assert max(abs(v) for row in said["drove"]["values"] for v in row) == pytest.approx(1)
    assert said["seen"]["picture"].startswith("data:image/png;base64,")
    assert len(said["nearest"]) == 8
    assert said["nearest"][0]["likeness"] >= said["nearest"][1]["likeness"]


def test_what_drove_an_answer_is_of_the_class_that_was_answered():
    state = {"classes": ["no", "yes"], "favour": {"yes": 1.0}}
    task = Classification(ClassificationConfig(), 2, state)
    run = SimpleNamespace(task=task, outputs=lambda x: x)
    lost = _lost(run, torch.tensor([[0.5, 0.0]]), torch.tensor([[0.5, -9.0], [-9.0, 0.0]]))
    assert lost[0] > 0 > lost[1]  # "yes" is answered, and the first hides what speaks for it


def test_the_page_needs_nothing_from_elsewhere(client):
    page = client.get("/")
    script = client.get("/page.js").text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for text in (page.text, script, client.get("/page.css").text):
        assert "https://" not in text
        assert "innerHTML" not in text
    about = client.get("/about").json()
    assert about["input"]["ink"]["dark"]
    assert len(about["examples"]) == 6


def test_figures_are_prometheus(client):
    client.get("/health")
    lines = client.get("/metrics").text.splitlines()
    assert any(
        line.startswith('headstart_requests_total{path="/health",status="200"}') for line in lines
    )
    assert any(line.startswith('headstart_request_seconds_bucket{le="+Inf"}') for line in lines)
    assert all(line.startswith("# TYPE ") or len(line.split(" ")) == 2 for line in lines)


@pytest.mark.parametrize(
    ("content", "kind", "status", "message"),
    [
        (b'{"inputs": ["aaaa"]}', "application/json", 422, "input 1 cannot be read"),
        (b'{"inputs": ["a*aa"]}', "application/json", 422, "not base64"),
        (b'{"inputs": []}', "application/json", 422, "does not fit"),
        (b'{"inputs": ["aaaa"], "more": 1}', "application/json", 422, "does not fit"),
        (b'{"inputs": ' + b"[" * 100_000, "application/json", 422, "does not fit"),
        (b"\xff\xfe", "application/json", 422, "does not fit"),
        (b"--x\r\n", "multipart/form-data; boundary=x", 422, "form"),
        (b"x", "multipart/form-data", 422, "form"),
        (b"x", "text/plain", 415, "application/json"),
    ],
)
def test_what_does_not_fit_is_named(client, content, kind, status, message):
    said = client.post("/predict", content=content, headers={"Content-Type": kind})
    assert said.status_code == status
    assert message in json.dumps(said.json())


def test_texts_and_what_drove_them(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    rows = [(text, int("file" in text)) for text in texts.sentences()[:300]]
    (folder / "train_text.txt").write_text("".join(f"{text}\n" for text, _ in rows))
    (folder / "train_labels.txt").write_text("".join(f"{kind}\n" for _, kind in rows))
    (folder / "mapping.txt").write_text("0\tother\n1\tfiles\n")
    run = hs.finetune(
        folder, steps=4, out=tmp_path / "run",
        backbone={"name": "ngram", "width": 8, "buckets": 64},
    )  # fmt: skip
    app = build(load_run(run.path), ServeConfig(neighbours=50))
    with TestClient(app, base_url=HOME) as client:
        said = client.post("/explain", json={"inputs": ["open the <b>file</b>"]}).json()
        assert said["prediction"]["label"] in ("other", "files")
        assert "".join(w["text"] for w in said["drove"]["words"]).strip().startswith("open the")
        assert said["nearest"][0]["text"]
        assert client.post("/predict", json={"inputs": [" \n"]}).status_code == 422


def test_rows_are_told_by_their_columns(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["age,work,rich"]
    for _ in range(200):
        age, work = int(rng.integers(18, 90)), ("office", "field")[int(rng.integers(2))]
        lines.append(f"{age},{work},{'yes' if age > 50 else 'no'}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    run = hs.finetune(
        tmp_path / "t.csv", target="rich", steps=4, out=tmp_path / "run",
        backbone={"name": "tabm", "members": 2},
    )  # fmt: skip
    app = build(load_run(run.path), ServeConfig(neighbours=50))
    with TestClient(app, base_url=HOME) as client:
        columns = {c["name"]: c for c in client.get("/about").json()["input"]["columns"]}
        assert columns["work"]["values"] == ["field", "office"]
        said = client.post("/explain", json={"inputs": [{"age": 60, "work": "office"}]})
        assert {c["name"] for c in said.json()["drove"]["columns"]} == {"age", "work"}
        assert said.json()["nearest"][0]["row"]["work"] in ("office", "field")
        assert client.post("/predict", json={"inputs": [{"age": "old"}]}).status_code == 422
        assert client.post("/predict", json={"inputs": [{"agee": 3}]}).status_code == 422
        assert client.post("/predict", json={"inputs": [{}]}).status_code == 200


def test_rows_of_numbers_are_shown_as_they_are_sent(tmp_path):
    x = np.random.default_rng(0).normal(5000, 2000, (60, 3))
    np.savez(tmp_path / "rows.npz", x=x, y=(x[:, 0] > 5000).astype(int))
    run = hs.finetune(tmp_path / "rows.npz", steps=2, out=tmp_path / "run")
    app = build(load_run(run.path), ServeConfig(neighbours=50))
    with TestClient(app, base_url=HOME) as client:
        shown = client.get("/about").json()["examples"][0]
        assert list(shown["row"].values()) in x.tolist()
        for route in ("predict", "embed", "explain"):
            said = client.post(f"/{route}", json={"inputs": [[1e300, 1.0, 1.0]]})
            assert said.status_code == 422
            assert "input 1 has no answer" in said.json()["error"]


def test_series_and_recordings_of_train_can_be_tried(tmp_path):
    """The page has what `predict` would be given: it is answered as the file is."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 2, (24, 2, 12)).astype(np.float32), np.arange(24) % 2
    x[0, 1, 4], x[::3, :, 9:] = np.nan, np.nan
    np.savez(tmp_path / "courses.npz", series=x, y=y)
    for i in range(16):
        tone = np.sin(np.arange(1_600 + 100 * (i % 3)) * (0.2 + 0.3 * (i % 2))) / 3
        soundfile.write(tmp_path / f"{i}.wav", tone + 0.01 * rng.normal(size=len(tone)), 8_000)
    rows = "".join(f"{i}.wav,{('low', 'high')[i % 2]}\n" for i in range(16))
    (tmp_path / "tones.csv").write_text(f"file,pitch\n{rows}")
    for source, backbone, key in (
        ("courses.npz", {"name": "tcn", "width": 8, "depth": 1}, "series"),
        ("tones.csv", {"name": "audioconv", "widths": [4]}, "sound"),
    ):
        more = {} if key == "series" else {"target": "pitch"}
        run = hs.finetune(
            tmp_path / source, steps=2, out=tmp_path / key, backbone=backbone, **more
        )  # fmt: skip
        app = build(load_run(run.path), ServeConfig(neighbours=50))
        with TestClient(app, base_url=HOME) as client:
            shown = client.get("/about").json()["examples"]
            sent = {"inputs": [one[key] for one in shown if one["course"]]}
            said = client.post("/predict", json=sent).json()["predictions"]
            if key == "sound":
                wanted = run.predict([tmp_path / one["name"] for one in shown])
            else:
                wanted = run.predict(x[[int(one["name"].split()[-1]) for one in shown]])
            chances = [row["probabilities"][str(wanted["label"][0])] for row in said]
            assert chances == pytest.approx(
                wanted[f"probability_{wanted['label'][0]}"].tolist(), abs=1e-3
            )


def test_numbers_that_no_column_holds_are_refused():
    with pytest.raises(UserError, match="too large"):
        _number(10**400)


def test_what_waits_goes_in_one_pass_and_too_much_is_refused():
    passes = []

    def ask(x):
        passes.append(len(x))
        return x * 2

    async def work():
        batcher = Batcher(ask, Metrics(), largest=8, most=6)
        batcher.start()
        asked = [asyncio.ensure_future(batcher(torch.tensor([[i]]))) for i in range(6)]
        await asyncio.sleep(0)
        with pytest.raises(FullError):
            await batcher(torch.tensor([[9]]))
        said = await asyncio.gather(*asked)
        await batcher.stop()
        return [int(one) for one in said]

    assert asyncio.run(work()) == [0, 2, 4, 6, 8, 10]
    assert sum(passes) == 6
    assert len(passes) <= 2


def test_what_is_being_answered_is_answered_before_the_end():
    async def work():
        batcher = Batcher(lambda x: time.sleep(0.05) or x, Metrics(), largest=8, most=6)
        batcher.start()
        asked = asyncio.ensure_future(batcher(torch.ones(1, 1)))
        while batcher._line or not batcher.waiting:  # until its pass runs
            await asyncio.sleep(0)
        await batcher.stop()
        return asked.done()

    assert asyncio.run(work())


def test_an_error_in_a_pass_reaches_those_who_asked_and_the_next_are_answered():
    def ask(x):
        if x.min() < 0:
            raise ValueError("bad")
        return x

    async def work():
        batcher = Batcher(ask, Metrics(), largest=1, most=9)
        batcher.start()
        with pytest.raises(ValueError, match="bad"):
            await batcher(torch.tensor([-1.0]))
        assert float(await batcher(torch.tensor([1.0]))) == 1.0
        await batcher.stop()

    asyncio.run(work())


async def asked(guard, messages, *, headers=(), path="/predict", pause=0.0):
    """What a guard answers: status, headers."""
    said = {}

    async def receive():
        await asyncio.sleep(pause)
        return messages.pop(0)

    async def send(message):
        if message["type"] == "http.response.start":
            said.update(status=message["status"], headers=dict(message["headers"]))

    scope = {
        "type": "http", "method": "POST", "path": path, "client": ("1.2.3.4", 5),
        "headers": [(b"host", b"127.0.0.1:8000"), *headers],
    }  # fmt: skip
    await guard(scope, receive, send)
    return said


async def echo(scope, receive, send):
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def guarded(**settings):
    return Guard(echo, ServeConfig(**settings), Metrics(), {"/predict"})


def part(size, *, more):
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


def test_large_and_slow_bodies_are_refused():
    guard, hasty = (guarded(max_body=Size(1000), body_seconds=s) for s in (60, 0.05))
    told = [(b"content-length", b"1001")]
    assert asyncio.run(asked(guard, [], headers=told))["status"] == 413
    huge = [(b"content-length", b"9" * 400)]
    assert asyncio.run(asked(guard, [], headers=huge))["status"] == 413
    untold = [part(600, more=True), part(600, more=True)]
    assert asyncio.run(asked(guard, untold))["status"] == 413
    slow = [part(1, more=True) for _ in range(9)]
    assert asyncio.run(asked(hasty, slow, pause=0.02))["status"] == 408
    assert asyncio.run(asked(guard, [part(1000, more=False)]))["status"] == 200
    gone = [{"type": "http.disconnect"}]
    assert asyncio.run(asked(guard, gone))["status"] == 400


def test_a_token_is_asked_of_all_who_come_from_elsewhere():
    guard = guarded(host="0.0.0.0", token="a long secret")
    refused = asyncio.run(asked(guard, [part(1, more=False)]))
    assert refused["status"] == 401
    right = [(b"authorization", b"Bearer a long secret")]
    assert asyncio.run(asked(guard, [part(1, more=False)], headers=right))["status"] == 200


def test_guesses_at_a_token_are_counted_as_requests_are():
    guard = guarded(host="0.0.0.0", token="a long secret", rate=0.5)
    wrong = [(b"authorization", b"Bearer a long guess")]
    said = [asyncio.run(asked(guard, [], headers=wrong))["status"] for _ in range(2)]
    assert said == [401, 429]


def test_bodies_count_while_they_are_read(monkeypatch):
    from headstart.serve import guard as module

    monkeypatch.setattr(module, "MOST_BODIES", 2)
    guard = guarded(max_body=Size(1000), rate=0)

    async def together():
        slow = [[part(900, more=True), part(50, more=False)] for _ in range(3)]
        return await asyncio.gather(*[asked(guard, parts, pause=0.01) for parts in slow])

    said = [one["status"] for one in asyncio.run(together())]
    assert sorted(said) == [200, 200, 503]
    assert guard._held == 0


def test_other_hosts_names_are_not_answered_on_loopback():
    other = [(b"host", b"evil.example")]

    async def ask():
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/about",
            "client": None,
            "headers": other,
        }
        said = []

        async def send(message):
            said.append(message)

        await guarded()(scope, None, send)
        return said[0]["status"]

    assert asyncio.run(ask()) == 421


def test_an_address_that_asks_too_often_is_told_when_to_come_back(monkeypatch):
    from headstart.serve import guard as module

    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    bucket = TokenBucket(2.0)
    for _ in range(4):
        bucket.step("one")
    with pytest.raises(Refusal) as caught:
        bucket.step("one")
    assert caught.value.status == 429
    assert caught.value.wait == pytest.approx(0.5)
    bucket.step("another")
    now[0] += caught.value.wait
    bucket.step("one")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "set a --token"),
        (["--host", "0.0.0.0", "--token", "short"], "at least 8"),
        (["--port", "70000"], "'port' is 70000: it must be 0 to 65,535"),
        (["--max-body", "much"], "max_body"),
        (["--batch", "0"], "'batch' is 0: it must be at least 1"),
    ],
)
def test_mistakes_are_named_before_anything_listens(model_run, capsys, arguments, message):
    assert main(["serve", str(model_run.path), *arguments]) == 2
    assert message in capsys.readouterr().err
