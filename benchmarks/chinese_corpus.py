"""A small Chinese corpus from LibreOffice's help, as Debian ships it (MPL-2.0).

    python benchmarks/chinese_corpus.py --out DIR [--deb FILE]

Fetches the package libreoffice-help-zh-cn with `apt-get download` unless --deb names it, and writes
its paragraphs in TweetEval's layout: a paragraph a line, and which program it is the help of. Pages
are kept whole: none has paragraphs in two splits. Nothing of it is kept in this repository.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

PACKAGE = "libreoffice-help-zh-cn"
PROGRAMS = ("sbasic", "scalc", "schart", "sdatabase", "sdraw", "simpress", "smath", "swriter")
FEWEST = 10  # Chinese characters of a paragraph that is kept
CHINESE = re.compile(r"[\u4e00-\u9fff]")


class Paragraphs(HTMLParser):
    """The text of each `<p>`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag == "p":
            self._open = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "p" and self._open is not None:
            self.found.append(" ".join("".join(self._open).split()))
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._open.append(data)


def split_of(page: str) -> str:
    """Seven pages in ten teach, one validates, two test; by name, so that it never changes."""
    lot = hashlib.sha256(page.encode()).digest()[0] / 256
    return "train" if lot < 0.7 else "val" if lot < 0.8 else "test"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--deb", type=Path, help="the package, if it is here already")
    options = parser.parse_args()
    rows: dict[str, list[tuple[str, int]]] = {"train": [], "val": [], "test": []}
    seen: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        deb = options.deb
        if deb is None:
            subprocess.run(["apt-get", "download", "-q", PACKAGE], cwd=folder, check=True)
            deb = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", deb, folder], check=True)
        text = Path(folder) / "usr/share/libreoffice/help/zh-CN/text"
        for label, program in enumerate(PROGRAMS):
            for page in sorted((text / program).rglob("*.html")):
                reader = Paragraphs()
                reader.feed(page.read_text(encoding="utf-8"))
                split = split_of(str(page.relative_to(text)))
                for paragraph in reader.found:
                    if paragraph not in seen and len(CHINESE.findall(paragraph)) >= FEWEST:
                        seen.add(paragraph)
                        rows[split].append((paragraph, label))
    options.out.mkdir(parents=True, exist_ok=True)
    for split, part in rows.items():
        lines = "".join(f"{paragraph}\n" for paragraph, _ in part)
        (options.out / f"{split}_text.txt").write_text(lines, encoding="utf-8")
        numbers = "".join(f"{label}\n" for _, label in part)
        (options.out / f"{split}_labels.txt").write_text(numbers, encoding="utf-8")
        print(f"{split}: {len(part):,} paragraphs, {sum(len(p) for p, _ in part):,} characters")
    names = "".join(f"{i}\t{name}\n" for i, name in enumerate(PROGRAMS))
    (options.out / "mapping.txt").write_text(names, encoding="utf-8")


if __name__ == "__main__":
    main()
