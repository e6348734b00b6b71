"""What was said, written down: a CTC head on the frames of a recording.

A sample's target is its text. Units are characters, words, or pieces of words trained on train.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.tasks import ngrams, units
from headstart.tasks.base import Task
from headstart.tasks.ctc import (
    BLANK,
    Spoken,
    aligned,
    best_path,
    ctc_loss,
    flat_loss,
    frames_needed,
    laws,
    prefix_beam,
)
from headstart.tasks.edit_distance import distance, error_rate
from headstart.tasks.frames import lengths
from headstart.tasks.tagging import WordHead
from headstart.types import Spec

NO_UNIT = -100  # stands in targets after a text's end


class TranscriptionConfig(Settings):
    """Units, and how outputs become text."""

    units: Literal["auto", "characters", "words", "subwords"] = setting(
        "auto", "what is written; auto: words where they are few, else characters", flag=""
    )
    pieces: int = setting(200, "subwords: how many", flag="", least=1)
    decode: Literal["greedy", "beam"] = setting(
        "greedy", "take each frame's likeliest, or add up all paths of a text", flag=""
    )
    beam: int = setting(16, "texts that a beam follows at a time", flag="", least=1)
    language: float = setting(
        0.0,
        "what a language model of train's texts counts in a beam; 0 leaves it out",
        flag="",
        least=0,
    )
    order: int = setting(3, "units that the language model looks at together", flag="", least=1)
    flat_start: float = setting(
        0.4,
        "part of the training in which units are also sought where they would be if all were"
        " equally long; 0 for none",
        flag="",
        least=0,
        most=1,
    )
    dropout: float = setting(
        0.1, "share of features dropped before the head", flag="", least=0, below=1
    )


class Transcription(Task):
    """A linear head, CTC."""

    Config: ClassVar[type[Settings]] = TranscriptionConfig
    name: ClassVar[str] = "transcription"
    metric: str = "unit_error_rate"
    direction: str = "min"
    classes_apart: ClassVar[bool] = False
    framewise: ClassVar[bool] = True

    @classmethod
    def suits(cls, spec: Spec) -> None:
        """Recordings alone are spoken."""
        if spec.step is None:
            raise UserError("--task transcription writes down recordings; these samples are none.")

    @classmethod
    def fit(cls, config: TranscriptionConfig, targets: NDArray[Any]) -> dict[str, Any]:
        """The units of the labels, and counts of what follows what.

        Raises:
            UserError: the labels hold no word, or are fractions; or a language model is asked for
                that nothing would ask.
        """
        if targets.dtype.kind == "f":
            raise UserError("the targets are numbers, not texts.", "Use --task regression.")
        if config.language and config.decode != "beam":
            raise UserError(
                "task.language has a say in a beam alone, and task.decode is greedy.",
                "Add --set task.decode=beam, or leave task.language at 0.",
            )
        texts = [str(text) for text in targets.tolist()]
        state = units.fit(config.units, texts, config.pieces)
        if config.language:
            made = units.made(state)
            number = {symbol: i for i, symbol in enumerate(made.symbols)}
            rows = [[number[symbol] for symbol in made.cut(text)] for text in texts]
            state["language"] = ngrams.count(rows, config.order)
        return state

    def __init__(self, config: TranscriptionConfig, dim: int, state: dict[str, Any]) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.units = units.made(state)
        self.unseen: list[str] = []  # met in judging, and not among the labels learned from
        self.seconds = float(state.get("seconds", 0.0))  # a frame's
        self.language = None
        if config.language:
            size = len(self.units.symbols) - 1
            self.language = ngrams.Ngrams(state["language"], config.order, size)
        self.head = WordHead(dim, len(self.units.symbols), config.dropout)

    def encode(self, targets: NDArray[Any], what: str) -> Tensor:  # noqa: ARG002 - the face
        """Texts → the numbers of their units, int64 `[N, S]`, `NO_UNIT` after a text's end.

        A unit that the labels learned from have not gets a number beyond theirs, and no answer is
        right.
        """
        number = {symbol: i for i, symbol in enumerate([*self.units.symbols, *self.unseen])}
        rows = []
        for text in targets.tolist():
            for symbol in (cut := self.units.cut(str(text))):
                if symbol not in number:
                    number[symbol] = len(number)
                    self.unseen.append(symbol)
            rows.append([number[symbol] for symbol in cut])
        encoded = torch.full((len(rows), max(1, *map(len, rows))), NO_UNIT)
        for i, row in enumerate(rows):
            encoded[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        return encoded

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """CTC's, of outputs `[B, T, K]` against targets `[B, S]`, a unit."""
        return ctc_loss(outputs.nan_to_num(), lengths(outputs), self._sayable(targets))

    def lead(self, outputs: Tensor, targets: Tensor, progress: float) -> Tensor | None:
        """A flat start that fades: see `ctc.flat_loss`."""
        if progress >= self.config.flat_start:
            return None
        loss = flat_loss(outputs.nan_to_num(), lengths(outputs), self._sayable(targets))
        return (1 - progress / self.config.flat_start) * loss

    def _sayable(self, targets: Tensor) -> Tensor:
        """Without units that no answer has: what cannot be said is not asked for."""
        known = targets < len(self.units.symbols)
        if bool(known.all()):
            return targets
        order = known.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
        return targets.masked_fill(~known, NO_UNIT).gather(1, order)

    def frames_needed(self, targets: Tensor) -> Tensor:
        """See `ctc.frames_needed`."""
        return frames_needed(targets)

    def trivial_loss(self, targets: Tensor) -> float | None:  # noqa: ARG002 - the face
        """None: it hangs on how long recordings are."""
        return None

    def divergence(self, wanted: Tensor, outputs: Tensor) -> Tensor:
        """Kullback and Leibler's, summed over frames: `[B]`."""
        law = wanted.nan_to_num().log_softmax(dim=-1)
        each = (law.exp() * (law - outputs.nan_to_num().log_softmax(dim=-1))).sum(dim=-1)
        return (each * ~wanted[..., 0].isnan()).sum(dim=1)

    def average(self, outputs: Tensor) -> Tensor:  # noqa: ARG002 - the face
        """Raises:
        UserError: frames of recordings that were moved do not lie over one another.
        """
        raise UserError("answers of moved recordings cannot be averaged frame by frame.")

    def adopt(self, other: Task, outputs: Tensor, where: str) -> Tensor:
        """Outputs in the order of this task's units."""
        assert isinstance(other, Transcription)
        if set(other.units.symbols) != set(self.units.symbols):
            raise UserError(f"{where} writes in other units than the labels learned from.")
        return outputs[..., [other.units.symbols.index(s) for s in self.units.symbols]]

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Error rates of units, words and characters; the share of texts without a mistake."""
        heard = [[self._symbol(spoken.unit) for spoken in one] for one in self.heard(outputs)]
        truth = [[self._symbol(i) for i in row if i > BLANK] for row in targets.tolist()]
        said, right = ([self.units.join(one) for one in some] for some in (heard, truth))
        return {
            "unit_error_rate": error_rate(truth, heard),
            "word_error_rate": error_rate([t.split() for t in right], [s.split() for s in said]),
            "character_error_rate": error_rate(right, said),
            "exact": float(np.mean([t == s for t, s in zip(right, said, strict=True)])),
            "n": len(truth),
            "units": sum(map(len, truth)),
        }

    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """`text`; the least belief in one of its units; each word with its seconds."""
        heard = self.heard(outputs)
        texts = [self.units.join([self._symbol(s.unit) for s in one]) for one in heard]
        least = [min((s.belief for s in one), default=1.0) for one in heard]
        return {
            "text": np.array(texts, dtype=object),
            "least_probability": np.array(least),
            "times": np.array([self._times(one) for one in heard], dtype=object),
        }

    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Edits that the truth is away."""
        pairs = zip(self.heard(outputs), targets.tolist(), strict=True)
        wrong = [
            distance([i for i in row if i > BLANK], [s.unit for s in one]) for one, row in pairs
        ]
        return torch.tensor(wrong, dtype=torch.float32)

    def verdict(self, output: Tensor, target: Tensor) -> str:
        """`3 1 4 → 3 1 1`."""
        truth = self.units.join([self._symbol(i) for i in target.tolist() if i > BLANK])
        answer = [self._symbol(s.unit) for s in self.heard(output[None])[0]]
        return f"{truth} → {self.units.join(answer)}"

    def heard(self, outputs: Tensor) -> list[list[Spoken]]:
        """What outputs `[N, T, K]` say, unit by unit, and when."""
        found = laws(outputs, lengths(outputs))
        if self.config.decode == "greedy":
            return [best_path(law) for law in found]
        weight = self.config.language
        return [
            aligned(law, prefix_beam(law, self.config.beam, self.language, weight)) for law in found
        ]

    def _symbol(self, unit: int) -> str:
        known = self.units.symbols
        return known[unit] if unit < len(known) else self.unseen[unit - len(known)]

    def _times(self, heard: list[Spoken]) -> str:
        """`three 0.12-0.44 one 0.52-0.80`: each word from its first frame to its last.

        Silence that was cut away before the first is not counted.
        """
        words: list[tuple[list[str], int, int]] = []
        single = isinstance(self.units, units.Words)
        begins = True
        for spoken in heard:
            symbol = self._symbol(spoken.unit)
            begins = begins or single or symbol.startswith(units.SPACE)
            if symbol == units.SPACE and not single:
                continue  # between words is none
            if begins:
                words.append(([symbol], spoken.begin, spoken.end))
            else:
                symbols, begin, _ = words[-1]
                words[-1] = ([*symbols, symbol], begin, spoken.end)
            begins = False
        told = [
            f"{self.units.join(symbols)} {begin * self.seconds:.2f}-{end * self.seconds:.2f}"
            for symbols, begin, end in words
        ]
        return " ".join(told)
