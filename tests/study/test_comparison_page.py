"""The page of a comparison: self-contained, complete, readable without a mouse."""

import re

import pytest
from test_verdict import SCRATCH, found

from headstart.report.page import style
from headstart.runs.atomic import write_json
from headstart.settings import as_plain
from headstart.settings.files import to_yaml
from headstart.study import comparison_page
from headstart.study.config import CompareConfig
from headstart.study.verdict import verdict
from headstart.workflows.request import config_of

BETTER = {100: [0.031, 0.029, 0.030], 1_000: [0.0402, 0.0395, 0.0401], 3_000: SCRATCH[3_000]}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    asked = {"data": {"path": "<b>photos"}, "labels": [100, 1_000, 3_000], "objectives": ["vicreg"]}
    config = config_of(CompareConfig, asked)
    result = {
        **found(BETTER),
        "status": "done", "data": "<b>photos", "task": "classification", "in_percent": True,
        "terms": "Equal steps.", "pretraining": [], "versions": {"torch": "2"},
        "facts": {"kind": "image", "samples": {"train": 9}, "labelled": {"train": 9}, "notes": []},
    }  # fmt: skip
    for method in result["methods"]:
        for point in method["points"]:
            point.update(wall_seconds=1.0, cpu_seconds=1.0)
    result["comparisons"] = [dict(c) for c in result["comparisons"]]
    result["verdict"] = verdict(result)
    write_json(folder / comparison_page.FOUND, result)
    (folder / comparison_page.ASKED).write_text(to_yaml(as_plain(config)))
    return comparison_page.build(folder), result


def test_it_is_self_contained_and_escapes_what_it_shows(page):
    text = page[0].read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "<b>photos" not in text
    assert "&lt;b&gt;photos" in text


def test_the_verdict_comes_first_and_every_figure_is_there(page):
    text, result = page[0].read_text(), page[1]
    headline = result["verdict"]["headline"].replace("<", "&lt;")
    assert 0 < text.index(headline) < text.index("<svg") < text.index("<table>")
    assert text.count('class="point"') == 6
    assert "9.8 ± 0.7 %" in text
    assert "headstart compare" in text
    labels = re.findall(r'class="point" tabindex="0" role="img" aria-label="([^"]+)"', text)
    assert "from scratch, 100 labels: 9.8 %" in labels[3]
    assert "draws: 9.8 %, 10.1 %, 9.5 %" in labels[3]


def test_colours_stand_out_from_the_ground(page):
    """WCAG 2.2: 4.5 for text, 3 for lines."""
    sheet = style() + page[0].read_text()
    light, dark = {}, {}
    for line in sheet.splitlines():
        into = dark if line.startswith("@media (prefers-color-scheme: dark)") else light
        if line.startswith((":root", "@media (prefers")):
            into.update(dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", line)))
    for colours in (light, dark):
        assert contrast(colours["ink"], colours["ground"]) >= 7
        for ground in ("ground", "card"):
            assert contrast(colours["soft"], colours[ground]) >= 4.5
        for line in (f"c{i}" for i in range(6)):
            assert contrast(colours[line], colours["ground"]) >= 4.5


def contrast(one, other):
    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.slow
def test_a_mark_is_read_by_keyboard_in_a_browser(page, chromium):
    tab = chromium.new_page()
    faults = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(page[0].as_uri())
    tab.locator("g.point").first.focus()
    assert "vicreg, 100 labels: 3.0 %" in tab.locator("#tip").inner_text()
    tab.get_by_role("checkbox", name="vicreg").uncheck()
    assert not tab.locator("#line-1").is_visible()
    assert not faults
