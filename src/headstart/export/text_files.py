"""A tokenizer that does all of a text's preprocessing, beside a graph that reads numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers, processors

from headstart.export.base import Work
from headstart.modalities.text import Text
from headstart.runs.atomic import write_json


def write_tokenizer(path: Path, work: Work) -> None:
    """For a graph of texts, `NAME.tokenizer.json` beside `path`; nothing for others."""
    modality = work.graph.door.modality
    if isinstance(modality, Text):
        write_json(
            path.with_name(f"{path.stem}.tokenizer.json"),
            whole(modality, work.graph.door.free[1].step),
        )


def whole(modality: Text, step: int = 1) -> dict[str, Any]:
    """The tokenizer with what `Text.tensor` does around it: space, begin, end, cut, filling up.

    step: widths of batches are multiples of it.
    """
    made = Tokenizer.from_str(modality.tokenizer.to_str())
    v = modality.vocabulary
    begin, end, pad = (made.id_to_token(i) for i in (v.begin, v.end, v.pad))
    steps = [normalizers.Strip(), normalizers.Prepend(" ")]
    own = made.normalizer
    made.normalizer = normalizers.Sequence([*steps, *([] if own is None else [own])])
    made.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(begin, v.begin), (end, v.end)],
    )
    made.enable_truncation(modality.length)
    made.enable_padding(pad_id=v.pad, pad_token=pad, pad_to_multiple_of=step)
    found: dict[str, Any] = json.loads(made.to_str())
    return found
