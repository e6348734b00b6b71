"""The page of a service, used as a person would, in headless Chromium.

    python benchmarks/page.py RUN --out DIR [--file SAMPLE] [--chromium /usr/bin/chromium]

On a run of digits every digit is drawn with the mouse; texts and series are typed, a form is
filled, a file is chosen, and a recording is also played into the microphone. Screenshots, light,
dark and as wide as a phone, are left in DIR.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from serve import service


def arc(x: float, y: float, rx: float, ry: float, *turn: float) -> list[Any]:
    """Points of an ellipse; its turn in degrees, clockwise from the right."""
    begin, end = turn
    steps = [begin + (end - begin) * i / 16 for i in range(17)]
    return [(x + rx * math.cos(math.radians(a)), y + ry * math.sin(math.radians(a))) for a in steps]


PATIENCE = 180_000  # milliseconds: the machine may be busy

# Strokes of each digit in a unit square.
DIGITS: dict[str, list[list[Any]]] = {
    "0": [arc(0.5, 0.5, 0.2, 0.32, -90, 270)],
    "1": [[(0.54, 0.16), (0.47, 0.84)]],
    "2": [[*arc(0.5, 0.34, 0.2, 0.17, -170, 40), (0.3, 0.82), (0.72, 0.82)]],
    "3": [[*arc(0.47, 0.33, 0.2, 0.16, -150, 90), *arc(0.47, 0.66, 0.23, 0.18, -90, 150)]],
    "4": [[(0.34, 0.18), (0.3, 0.54), (0.7, 0.52)], [(0.66, 0.2), (0.6, 0.86)]],
    "5": [[(0.68, 0.18), (0.38, 0.18), (0.34, 0.46), *arc(0.46, 0.64, 0.22, 0.2, -110, 140)]],
    "6": [[(0.6, 0.15), (0.42, 0.36), (0.34, 0.62), *arc(0.5, 0.66, 0.16, 0.17, 180, -190)]],
    "7": [[(0.28, 0.2), (0.72, 0.2), (0.46, 0.85)]],
    "8": [[*arc(0.5, 0.33, 0.15, 0.15, 90, -270), *arc(0.5, 0.66, 0.18, 0.18, -90, 270)]],
    "9": [[*arc(0.5, 0.36, 0.17, 0.17, 0, -360), (0.66, 0.5), (0.6, 0.86)]],
}


def draw(page: Page, strokes: list[list[Any]]) -> None:
    """With the mouse, on the pad."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for x, y in points[1:]:
            page.mouse.move(x, y, steps=3)
        page.mouse.up()


def answer(page: Page, ask: Any) -> str:
    """What the page says after `ask`."""
    with page.expect_response("**/explain", timeout=PATIENCE) as said:
        ask()
    if said.value.status != 200:
        return f"status {said.value.status}"
    page.wait_for_selector("#answer[aria-busy=false]")
    best = page.locator("#best")
    return best.inner_text() if best.count() else "features"


def spoken(page: Page) -> None:
    """So long that the file, which Chromium plays over and over, is heard."""
    page.locator("#record").click()
    page.wait_for_timeout(1_500)
    page.locator("#record").click()


def used(page: Page, about: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Everything that a person would try."""
    found: dict[str, Any] = {}
    if page.locator("#pad").count() and set(DIGITS) <= set(about["classes"]):
        for digit, strokes in DIGITS.items():
            page.get_by_role("button", name="Clear").click()
            found[f"drew {digit}"] = answer(page, lambda strokes=strokes: draw(page, strokes))
            page.screenshot(path=str(options.out / f"drew-{digit}.png"))
    if page.locator("#text").count():
        page.fill("#text", "I am so happy, what a wonderful day!")
        found["typed"] = answer(page, lambda: page.get_by_role("button", name="Ask").click())
    if page.locator("#row-form").count():
        found["empty form"] = answer(page, lambda: page.get_by_role("button", name="Ask").click())
    if page.locator("#numbers").count():
        page.fill("#numbers", "1, 2, many")
        page.get_by_role("button", name="Ask").click()
        found["no numbers"] = page.locator("#problem").inner_text()
    if page.locator("#record").count() and options.file is not None:
        found["spoken"] = answer(page, lambda: spoken(page))
    tiles = page.locator("#examples button")
    if tiles.count():
        found["a training sample"] = answer(page, tiles.first.click)
    listen = page.get_by_role("button", name="listen to")
    if listen.count():
        listen.first.click()
    if options.file is not None:
        found["a file"] = answer(page, lambda: page.set_input_files("#file", options.file))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--file", help="a picture or a sound to choose")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    name = Path(options.run).name
    heard = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    if options.file is not None and options.file.endswith(".wav"):
        heard.append(f"--use-file-for-fake-audio-capture={Path(options.file).resolve()}")
    patient = ["--rate", "0", "--answer-seconds", "180"]
    with service(options.run, *patient) as port, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=options.chromium, args=heard)
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.set_default_timeout(PATIENCE)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("#ask *")
        about = page.request.get(f"http://127.0.0.1:{port}/about").json()
        found = used(page, about, options)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=str(options.out / f"{name}-{scheme}.png"), full_page=True)
        page.set_viewport_size({"width": 390, "height": 800})
        if page.locator("#examples button").count():
            answer(page, page.locator("#examples button").first.click)
            found["answer seen on a phone"] = page.locator("#answer").evaluate(
                "one => one.getBoundingClientRect().top < innerHeight"
            )
        page.screenshot(path=str(options.out / f"{name}-narrow.png"), full_page=True)
        browser.close()
    right = [digit for digit in DIGITS if found.get(f"drew {digit}") == digit]
    if any(key.startswith("drew") for key in found):
        found["drawn and recognised"] = f"{len(right)} of {len(DIGITS)}"
    print(json.dumps({**found, "console": said}, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
