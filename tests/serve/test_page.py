"""The page as a person meets it, in headless Chromium; skipped where there is none."""

import shutil
import socket
import threading
from contextlib import contextmanager

import pytest

pytest.importorskip("fastapi")
playwright = pytest.importorskip("playwright.sync_api")
uvicorn = pytest.importorskip("uvicorn")

import headstart as hs
from headstart.serve.app import build
from headstart.serve.config import ServeConfig
from headstart.workflows.loaded import load_run
from sounds import tones

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    # What playwright and uvicorn leave open when they are told to stop is theirs.
    pytest.mark.filterwarnings("ignore"),
]


@contextmanager
def served(run):
    """The address of a run's page."""
    app = build(load_run(run.path), ServeConfig(neighbours=100))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join(30)
    listening.close()


def test_a_digit_is_drawn_with_the_mouse_and_answered(model_run):
    with served(model_run) as home, playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(home)
        page.wait_for_selector("#pad")
        box = page.locator("#pad").bounding_box()
        with page.expect_response("**/explain", timeout=60_000):
            page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
            page.mouse.down()
            page.mouse.move(box["x"] + 0.48 * box["width"], box["y"] + 0.8 * box["height"], steps=8)
            page.mouse.up()
        page.wait_for_selector("#answer[aria-busy=false]")
        assert page.locator("#best").inner_text() in set("0123456789")
        assert page.locator("#answer img").count() == 10  # twice what was seen, eight neighbours
        with page.expect_response("**/explain", timeout=60_000):
            page.locator("#examples button").first.click()
        browser.close()
    assert said == []


def test_a_sound_is_recorded_and_a_training_sample_tried_on_a_phone(tmp_path):
    folder = tones(tmp_path / "tones", 8)
    run = hs.finetune(
        folder, steps=2, out=tmp_path / "run", backbone={"name": "audioconv", "widths": [4]}
    )
    arguments = [
        "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={folder / 'low' / '3.wav'}",
    ]  # fmt: skip
    with served(run) as home, playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 390, "height": 700})
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(home)
        page.locator("#record").click()
        page.wait_for_timeout(1_000)
        with page.expect_response("**/explain", timeout=60_000) as heard:
            page.locator("#record").click()
        assert heard.value.status == 200
        page.wait_for_selector("#answer[aria-busy=false]")
        assert page.locator("#best").inner_text() in ("low", "high")
        page.evaluate("scrollTo(0, 0)")
        with page.expect_response("**/explain", timeout=60_000):
            page.locator("#examples button").first.click()
        page.wait_for_selector("#answer[aria-busy=false]")
        assert page.locator("#answer").evaluate(
            "one => one.getBoundingClientRect().top < innerHeight"
        )
        browser.close()
    assert said == []
