"""PyTorch's own: the program of `torch.export`, which C++ and AOTInductor take too."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from headstart.export import text_files
from headstart.export.base import Asked, Work

ABOUT = "headstart.json"


class Program:
    """See `base.Format`."""

    suffix: ClassVar[str] = ".pt2"
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def write(path: Path, work: Work) -> None:
        """The program, with what it is about in an extra file of its archive."""
        text_files.write_tokenizer(path, work)
        about = {ABOUT: json.dumps(work.about, ensure_ascii=False)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own, about its own parts
            torch.export.save(work.graph.program(work.raw[:3]), path, extra_files=about)

    @staticmethod
    def opened(path: Path) -> Asked:
        """The program alone: no class of headstart's is needed."""
        extra: dict[str, Any] = {ABOUT: ""}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module: Any = torch.export.load(path, extra_files=extra).module()
        names = json.loads(extra[ABOUT])["outputs"]

        def ask(raw: Any) -> dict[str, Any]:
            with torch.no_grad():
                found: tuple[Tensor, ...] = module(torch.from_numpy(raw))
            return {name: value.numpy() for name, value in zip(names, found, strict=True)}

        return ask
