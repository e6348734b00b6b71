"""The article's network beside its mended twin: same widths, data, seed and length."""

from __future__ import annotations

from typing import Any

from headstart.runs.folder import RunFolder
from headstart.settings import as_plain
from headstart.training.watching import Display
from headstart.workflows.assemble import Say
from headstart.workflows.config import PretrainConfig
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of, layered

ARTICLE, MENDED = "article", "article-mended"


def mended_twin(
    config: PretrainConfig,
    folder: RunFolder,
    *,
    display: Display | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Pre-train the twin of an `article` run in `RUN/mended`; returns its `result.json`."""
    plain = as_plain(config)
    same = {"data": plain["data"], "seed": plain["seed"]}
    length = {"training": {"duration": plain["training"]["duration"]}}
    twin = config_of(PretrainConfig, layered(MENDED, None, {**same, **length}, []))
    with RunFolder.create(folder.path / "mended", resume=False, overwrite=True) as beside:
        return pretrain(twin, beside, display=display, say=say)
