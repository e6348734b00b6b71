"""A tag for each word of a text: parts of speech, names.

A sample's target is its tags in one string, parted by spaces. Tags such as B-PER and I-PER mark
entities that span words; these are counted whole, as the shared tasks of CoNLL do (Tjong Kim Sang
and Buchholz, 2000, aclanthology.org/W00-0726): an entity is right if its words and its kind are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.errors import UserError
from headstart.parts.standard import Standardised
from headstart.settings import Settings, setting
from headstart.tasks.base import Task
from headstart.tasks.entities import found_in, precision_recall_f1
from headstart.tasks.frames import present
from headstart.types import Features, Spec

NO_WORD = -100  # stands in targets after a text's last word; a loss leaves it out
MOST_TAGS = 1_000  # more are no tags


class TaggingConfig(Settings):
    """The head's loss."""

    label_smoothing: float = setting(
        0.0, "share of belief spread over all tags", flag="", least=0, below=1
    )
    dropout: float = setting(
        0.1, "share of features dropped before the head", flag="", least=0, below=1
    )


class Tagging(Task):
    """A linear head on each word's first token, cross-entropy."""

    Config: ClassVar[type[Settings]] = TaggingConfig
    name: ClassVar[str] = "tagging"
    direction: str = "max"
    classes_apart: ClassVar[bool] = False
    framewise: ClassVar[bool] = True

    @classmethod
    def suits(cls, spec: Spec) -> None:
        """Texts alone have words."""
        if spec.kind != "tokens":
            raise UserError(f"--task tagging tags words; these samples are {spec.kind}.")

    @classmethod
    def fit(cls, config: Any, targets: NDArray[Any]) -> dict[str, Any]:  # noqa: ARG003 - the face
        """The tags that the labels have, sorted, and how many words each.

        Raises:
            UserError: there is only one tag, or there are so many that they are none.
        """
        tags, counts = np.unique(
            [tag for one in targets.tolist() for tag in str(one).split()], return_counts=True
        )
        if len(tags) < 2:
            raise UserError(
                "tagging needs two tags; "
                + (f"every word is '{tags[0]}'." if len(tags) else "there is none."),
                "A target is a tag for each word, parted by spaces.",
            )
        if len(tags) > MOST_TAGS:
            raise UserError(
                f"the targets have {len(tags):,} different tags, such as '{tags[0]}': these are no"
                " tags.",
                "A target is a tag for each word, parted by spaces.",
            )
        return {"tags": tags.tolist(), "counts": counts.tolist()}

    def __init__(self, config: TaggingConfig, dim: int, state: dict[str, Any]) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.tags: list[str] = state["tags"]
        self.unseen: list[str] = []  # tags met in judging that the labels learned from have not
        self.spans = any(tag[:2] in ("B-", "I-") for tag in self.tags)
        self.metric = "entity_f1" if self.spans else "token_accuracy"
        self.head = WordHead(dim, len(self.tags), config.dropout)

    def encode(self, targets: NDArray[Any], what: str) -> Tensor:  # noqa: ARG002 - the face
        """Tags → their numbers, int64 `[N, W]`, `NO_WORD` after the last word of a text.

        A tag that the labels learned from have not gets a number beyond theirs: no answer is right.
        """
        number = {tag: i for i, tag in enumerate([*self.tags, *self.unseen])}
        rows = []
        for one in targets.tolist():
            for tag in (tags := str(one).split()):
                if tag not in number:
                    number[tag] = len(number)
                    self.unseen.append(tag)
            rows.append([number[tag] for tag in tags])
        encoded = torch.full((len(rows), max(map(len, rows))), NO_WORD)
        for i, row in enumerate(rows):
            encoded[i, : len(row)] = torch.tensor(row)
        return encoded

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of logits `[B, T, K]` over the words of targets `[B, W]`."""
        smoothing = self.config.label_smoothing if self.training else 0.0
        logits, truth = self._words(outputs, targets)
        return F.cross_entropy(logits, truth, label_smoothing=smoothing)

    def counted(self, targets: Tensor) -> int:
        """Words whose tags are known."""
        return max(1, int(self._learned(targets).sum()))

    def trivial_loss(self, targets: Tensor) -> float:
        """The entropy of the tags among targets `[B, W]`."""
        count = torch.bincount(targets[self._learned(targets)]).float()
        return float(torch.special.entr(count / count.sum()).sum())

    def divergence(self, wanted: Tensor, outputs: Tensor) -> Tensor:
        """Kullback and Leibler's, summed over words: `[B]`."""
        law = wanted.nan_to_num().log_softmax(dim=-1)
        each = (law.exp() * (law - outputs.nan_to_num().log_softmax(dim=-1))).sum(dim=-1)
        return (each * present(wanted)).sum(dim=1)

    def average(self, outputs: Tensor) -> Tensor:
        """Logits of the mean of the probabilities of `[V, N, T, K]`."""
        return outputs.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(outputs))

    def adopt(self, other: Task, outputs: Tensor, where: str) -> Tensor:
        """Logits of the same probabilities, tags in this task's order."""
        assert isinstance(other, Tagging)
        if set(other.tags) != set(self.tags):
            raise UserError(
                f"{where} knows the tags {', '.join(other.tags)}; the labels learned from have"
                f" {', '.join(self.tags)}."
            )
        return outputs[..., [other.tags.index(tag) for tag in self.tags]]

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Words, and entities where tags mark some: precision, recall, F1, of each kind too."""
        logits, truth = self._judged(outputs, targets)
        found: dict[str, Any] = {
            "token_accuracy": float((logits.argmax(dim=1) == truth).float().mean()),
            "n": len(targets),
            "words": len(truth),
        }
        if self.spans:
            answers = found_in(self._answers(outputs))
            right = found_in(self._truth(targets))
            found |= {f"entity_{k}": v for k, v in precision_recall_f1(right, answers).items()}
            for kind in sorted({entity[3] for entity in right}):
                of_kind = [{e for e in some if e[3] == kind} for some in (right, answers)]
                found[f"f1_{kind}"] = precision_recall_f1(*of_kind)["f1"]
            found["entities"] = len(right)
        if self.unseen:
            found["unseen_tags"] = list(self.unseen)
        return found

    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """`tags`, one for each word, parted by spaces; the least probability among them."""
        belief = outputs.nan_to_num().softmax(dim=-1).amax(dim=-1)  # [N, T]
        least = belief.masked_fill(~present(outputs), 1.0).amin(dim=1)
        said = [" ".join(tags) for tags in self._answers(outputs)]
        return {"tags": np.array(said, dtype=object), "least_probability": least.cpu().numpy()}

    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """How many words are wrong."""
        width = min(outputs.shape[1], targets.shape[1])
        truth = targets[:, :width]
        wrong = (outputs[:, :width].nan_to_num().argmax(dim=-1) != truth) & (truth != NO_WORD)
        return wrong.sum(dim=1).float()

    def verdict(self, output: Tensor, target: Tensor) -> str:
        """`O B-PER → O O`."""
        truth, answer = self._truth(target[None])[0], self._answers(output[None])[0]
        return f"{' '.join(truth)} → {' '.join(answer)}"

    def _learned(self, targets: Tensor) -> Tensor:
        """Which of targets `[B, W]` are tags that can be answered."""
        known: Tensor = (targets >= 0) & (targets < len(self.tags))
        return known

    def _words(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[M, K]` and tags `[M]` of the words that can be learned from."""
        width = min(outputs.shape[1], targets.shape[1])
        truth = targets[:, :width]
        known = self._learned(truth)
        return outputs[:, :width][known], truth[known]

    def _judged(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The same of all words."""
        width = min(outputs.shape[1], targets.shape[1])
        there = targets[:, :width] != NO_WORD
        return outputs[:, :width][there], targets[:, :width][there]

    def _answers(self, outputs: Tensor) -> list[list[str]]:
        count = present(outputs).sum(dim=1).tolist()
        best = outputs.nan_to_num().argmax(dim=-1).tolist()
        return [[self.tags[i] for i in row[:n]] for row, n in zip(best, count, strict=True)]

    def _truth(self, targets: Tensor) -> list[list[str]]:
        names: Sequence[str] = [*self.tags, *self.unseen]
        return [[names[i] for i in row if i != NO_WORD] for row in targets.tolist()]


class WordHead(nn.Module):
    """Tokens standardised over all words of a batch, then a linear layer."""

    def __init__(self, dim: int, tags: int, dropout: float) -> None:
        super().__init__()
        self.norm = Standardised(dim)
        self.drop = nn.Dropout(dropout)
        self.linear = nn.Linear(dim, tags)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Features) -> Tensor:
        """Tokens `[B, T, D]` → `[B, T, K]`; zero where `features.mask` has no frame."""
        assert features.tokens is not None
        assert features.mask is not None
        said = self.linear(self.drop(self.norm(features.tokens[features.mask])))  # [M, K]
        full: Tensor = said.new_zeros(*features.mask.shape, said.shape[-1])
        full[features.mask] = said
        return full
