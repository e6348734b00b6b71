"""Labels on disk, the page's server, and the page itself in a browser."""

import http.client
import json
import threading
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from headstart.cli import main
from headstart.data.dataset import Dataset, Samples
from headstart.errors import UserError
from headstart.study.labelling import showing
from headstart.study.labelling.notebook import LINES, Notebook
from headstart.study.labelling.server import Server
from headstart.study.labelling.session import KEYS, Plan, Session, keys_of
from headstart.workflows.config import DataConfig
from headstart.workflows.request import config_of

DIGITS = config_of(DataConfig, {"path": "digits"})

# ------------------------------------------------------------------ the notebook


def test_every_label_is_on_disk_and_undo_is_a_line_more(tmp_path):
    book = Notebook(tmp_path)
    book.say("a", "cat")
    book.say("b", None)
    book.say("c", "dog, small")
    assert book.undo() == "c"
    book.say("c", "dog")
    again = Notebook(tmp_path)
    assert again.labels == {"a": "cat", "c": "dog"}
    assert again.seen == ["a", "b", "c"]
    assert len((tmp_path / LINES).read_text().splitlines()) == 5
    again.write_table()
    assert again.table.read_text() == "name,label\na,cat\nc,dog\n"


def test_what_a_crash_cut_off_is_removed(tmp_path):
    book = Notebook(tmp_path)
    book.say("a", "cat")
    with (tmp_path / LINES).open("a") as file:
        file.write('{"name": "b", "lab')
    again = Notebook(tmp_path)
    again.say("b", "dog")
    assert Notebook(tmp_path).labels == {"a": "cat", "b": "dog"}


def test_damaged_line_is_named(tmp_path):
    (tmp_path / LINES).write_text('{"name": "a", "label": "cat"}\nnonsense\n')
    with pytest.raises(UserError, match="line 2 is damaged"):
        Notebook(tmp_path)


def test_what_looks_like_the_end_of_a_line_is_none(tmp_path):
    book = Notebook(tmp_path)
    book.say("one\u2028two\x85three", "cat")
    assert Notebook(tmp_path).labels == book.labels


def test_undo_of_nothing_is_nothing(tmp_path):
    assert Notebook(tmp_path).undo() is None


def test_keys_are_the_classes_own_letters_or_all_different():
    assert keys_of(["7", "3"]) == {"7": "7", "3": "3"}
    assert keys_of(["cat", "dog"]) == {"cat": "1", "dog": "2"}
    many = keys_of([f"class {i}" for i in range(50)])
    given = [key for key in many.values() if key]
    assert len(given) == len(set(given)) == len(KEYS)


# ------------------------------------------------------------------ how samples are shown


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (3, 8, 8), (8, 8, 1)])
def test_arrays_become_pictures(shape):
    from io import BytesIO

    from PIL import Image

    samples = Samples(np.random.default_rng(0).random((2, *shape)))
    kind, data = showing.media(Dataset("made up", "image", {"train": samples}), samples, 1)
    assert kind == "image/png"
    assert Image.open(BytesIO(data)).size == (8, 8)


def test_recordings_become_wav_and_rows_become_cells(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    from headstart.data.files import of_paths

    soundfile.write(tmp_path / "a.flac", np.zeros(800), 8000)
    sounds = Samples(of_paths([tmp_path / "a.flac"], str(tmp_path)))
    kind, data = showing.media(Dataset("x", "audio", {"train": sounds}), sounds, 0)
    assert (kind, data[:4]) == ("audio/wav", b"RIFF")
    (tmp_path / "a.flac").write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be shown"):
        showing.media(Dataset("x", "audio", {"train": sounds}), sounds, 0)
    rows = Samples(np.array([[1.5, 2.0]]))
    shown = showing.in_words(Dataset("x", "table", {"train": rows}, columns=["a", "b"]), rows, 0)
    assert shown == {"kind": "row", "cells": [["a", "1.5"], ["b", "2"]]}
    texts = Samples(np.array(["<b>hello</b>"]))
    shown = showing.in_words(Dataset("x", "text", {"train": texts}), texts, 0)
    assert shown == {"kind": "text", "text": "<b>hello</b>"}


# ------------------------------------------------------------------ the server


@pytest.fixture(scope="module")
def session(tmp_path_factory, encoder_run):
    folder = tmp_path_factory.mktemp("labelling") / "lab"
    return Session(folder, Plan(str(encoder_run.path), DIGITS, batch=12, steps=5))


@pytest.fixture
def server(session):
    with Server(session, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def asked(server, path, body=None, *, token=None, **headers):
    host, port = server.server_address
    with closing(http.client.HTTPConnection(host, port)) as connection:
        path = f"/{server.token if token is None else token}/{path}"
        method = "GET" if body is None else "POST"
        sent = None if body is None else json.dumps(body)
        kind = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, sent, {**kind, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_page_is_for_this_machine_and_its_token_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    assert asked(server, "")[0] == 200
    assert asked(server, "", token="guess")[0] == 403
    assert asked(server, "state", Host="evil.example:80")[0] == 403  # a name rebound to us
    assert asked(server, "say", {}, Origin="https://evil.example")[0] == 403
    assert asked(server, "say", {}, **{"Content-Type": "text/plain"})[0] == 400
    for path in ("sample/../../etc/passwd", "sample/-1", "sample/99999999", "sample/²", "x"):
        assert asked(server, path.replace("²", "%C2%B2"))[0] == 404, path
    assert asked(server, "say", {"name": "x", "label": "y" * 20_000})[0] == 400
    assert asked(server, "eval", {"code": "1"})[0] == 400


def test_labels_skips_and_undo_by_request(server, session):
    first = json.loads(asked(server, "state")[1])
    name = first["sample"]["name"]
    assert asked(server, f"sample/{first['sample']['row']}")[1][:4] == b"\x89PNG"
    labelled = json.loads(asked(server, "say", {"name": name, "label": "3"})[1])
    assert labelled["labels"] == first["labels"] + 1
    assert asked(server, "say", {"name": name, "label": "4"})[0] == 409  # a second window's click
    assert session.notebook.labels[name] == "3"
    skipped = json.loads(asked(server, "skip", {"name": labelled["sample"]["name"]})[1])
    assert skipped["skipped"] == first["skipped"] + 1
    asked(server, "undo", {})
    back = json.loads(asked(server, "undo", {})[1])
    assert back["sample"]["name"] == name
    assert back["labels"] == first["labels"]
    assert asked(server, "train", {})[0] == 409  # no two classes yet
    for label in ("two\u2028lines", "\ud800", "\x85", " "):
        assert asked(server, "say", {"name": name, "label": label})[0] == 409
    assert asked(server, "state")[0] == 200


def test_labels_lead_to_a_model_and_the_next_batch(session, tmp_path):
    train = session.dataset.train
    truth = {train.name(i): str(train.targets[i]) for i in range(len(train))}
    while (sample := session.state()["sample"]) is not None:
        session.say(sample["name"], truth[sample["name"]])
    session.train()
    session.wait()
    state = session.state()
    assert state["training"]["state"] == "done", state["training"]
    assert (state["labels"], state["left"], state["rounds"]) == (12, 12, 1)
    assert session.pool.answers is not None
    assert not set(session.notebook.labels) & {session.pool.names[i] for i in session.queue}
    result = json.loads((session.folder / "runs/1/result.json").read_text())
    assert result["labels"] == 12
    assert result["test"] == {}  # nobody who chooses labels reads the test split
    again = Session(session.folder, session.plan)
    assert again.notebook.labels == session.notebook.labels
    assert again.pool.answers is not None
    model = str(session.folder / "runs/1")  # a labelling may begin with what knows classes
    begun = Session(tmp_path / "next", replace(session.plan, run=model))
    assert set(begun._guesses.values()) <= set(truth.values())
    with pytest.raises(UserError, match="labelling of another data"):
        Session(session.folder, Plan(session.plan.run, config_of(DataConfig, {"path": "mnist"})))


def test_mistakes_of_the_page_command_are_named(tmp_path, capsys, session, encoder_run):
    run = str(encoder_run.path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").write_text("")
    with Server(session, 0) as server:
        port = str(server.server_address[1])
        for more, message in (
            (["--out", str(session.folder), "--port", port], f"port {port} cannot be used"),
            (["--out", str(tmp_path / "full")], "holds no labelling"),
            (["--out", str(tmp_path / "new"), "--count", "0"], "at least 1"),
            (["--out", str(tmp_path / "new"), "--rule", "nearest"], "labelling rule 'nearest'"),
        ):
            assert main(["label", run, "digits", "--page", "--quiet", *more]) == 2
            assert message in capsys.readouterr().err
    with FileLock(session.folder / ".lock"):
        assert (
            main(["label", run, "digits", "--page", "--quiet", "--out", str(session.folder)]) == 2
        )
    assert "another headstart label --page works" in capsys.readouterr().err
    assert main(["label", "nowhere", "digits", "--page", "--out", str(tmp_path / "n")]) == 2
    assert "no run at nowhere" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


# ------------------------------------------------------------------ the page in a browser


@pytest.mark.slow
def test_page_is_driven_by_keyboard_in_chromium(tmp_path, encoder_run, chromium):
    session = Session(tmp_path / "lab", Plan(str(encoder_run.path), DIGITS, batch=12, steps=20))
    train = session.dataset.train
    truth = {train.name(i): str(train.targets[i]) for i in range(len(train))}
    with Server(session, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = chromium.new_page()
        faults = []
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(server.address)
        page.wait_for_selector("#sample img")

        def press(key):
            before = page.locator("#name").inner_text()
            page.keyboard.press(key)
            page.wait_for_function(
                "before => document.getElementById('name').textContent !== before", arg=before
            )

        first = page.locator("#name").inner_text()
        press("5")
        press("u")
        assert page.locator("#name").inner_text() == first
        press(" ")
        while page.locator("#name").inner_text():
            press(truth[page.locator("#name").inner_text()])
        assert page.locator("#done").is_visible()
        page.keyboard.press("Enter")
        page.wait_for_function(
            "() => document.getElementById('training').textContent.startsWith('learned')"
        )
        page.wait_for_selector("#sample img")  # once it is loaded
        press(truth[page.locator("#name").inner_text()])
        page.close()
        server.shutdown()
    assert not faults
    assert Notebook(tmp_path / "lab").labels == session.notebook.labels
    assert len(session.notebook.labels) == 12
