"""Self-training: the few labels teach, and what the network is sure of teaches the rest.

A teacher, the moving average of the student (Tarvainen and Valpola, 2017, arXiv:1703.01780),
looks at a weakly augmented view of every sample and answers; the student sees a strongly
augmented view of what is unlabelled and must answer alike (FixMatch, Sohn et al., 2020,
arXiv:2001.07685). How much an answer counts is a matter of `trust`:

    fixed     above a threshold or not at all (FixMatch)
    adaptive  the threshold is the running mean confidence, lower for classes that are seldom
              answered (FreeMatch, Wang et al., 2023, arXiv:2205.07246, eq. 5 to 8)
    soft      a normal curve below the running mean confidence (SoftMatch, Chen et al., 2023,
              arXiv:2301.10921, eq. 6 to 8)

Answers are first tilted so that all classes together are answered as often as the labels have
them (ReMixMatch, Berthelot et al., 2020, arXiv:1911.09785, section 3.1).

With ten labels a class a network's own first answers are poor, and what it once believed it keeps.
Where a graph of neighbours is at hand (`LabelGraph`), its answers are learned from instead, those
of all samples: labels spread along it (`spreading.py`), at first by what the encoder was
pre-trained to see, then anew by what it has learned to see since. In the second half of the
training only those count which the teacher gives as well: by then it has seen through most of the
graph's mistakes.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.collectives import mean_over_processes
from headstart.modalities.base import Strength
from headstart.parts.learner import Learner
from headstart.parts.teacher import follow, teacher_of
from headstart.settings import Settings, setting
from headstart.tasks.student import StudentMixin, known_loss, shares
from headstart.tasks.supervised import Supervised
from headstart.types import Batch, Step

AGREED = 0.5  # progress from which the teacher must give the graph's answer too
UNLABELLED = -100  # what a loss over class numbers leaves out; sample i has UNLABELLED - i
Trusting = Literal["fixed", "adaptive", "soft"]


class LabelGraph(Protocol):
    """Answers for all unlabelled samples at once."""

    def __call__(self, encoder: Backbone, *, first: bool) -> Tensor:
        """The class of each, `[N]`; first: the encoder has not learned from labels yet."""
        ...


class SelfTrainingConfig(Settings):
    """How far the network's own answers are believed."""

    trust: Trusting = setting("adaptive", "fixed, adaptive or soft: which answers count", flag="")
    threshold: float = setting(
        0.95, "fixed: the least confidence that counts", flag="", least=0, most=1
    )
    weight: float = setting(1.0, "of the unlabelled samples' loss", flag="", least=0)
    warm: float = setting(
        0.1, "part of the training from the labels alone", flag="", least=0, most=1
    )
    ramp: float = setting(
        0.2, "part in which the unlabelled gain their weight", flag="", least=0, most=1
    )
    align: bool = setting(
        True, "answer classes as often as the labels have them; off where that is not so", flag=""
    )
    share: float = setting(0.25, "part of a batch that is labelled", flag="", above=0, below=1)
    momentum: float = setting(0.99, "of the teacher", flag="", least=0, below=1)
    graph: bool = setting(True, "learn from labels spread over a graph of neighbours", flag="")
    rounds: int = setting(3, "times in the training at which that graph is drawn", flag="", least=1)


class SelfTraining(StudentMixin, Learner):  # type: ignore[override]
    """Wraps a fine-tuning: labelled and unlabelled samples in one batch, which `y` tells apart.

    graph: answers for each unlabelled sample by neighbours in an encoder's features; None where the
        network's own answers are learned from.
    """

    Config: ClassVar[type[Settings]] = SelfTrainingConfig
    views = 2
    usual_batch = 256

    graph: LabelGraph | None = None
    # [N], the class that the graph gives each unlabelled sample; UNLABELLED before it is drawn
    guesses: Tensor
    drawn: Tensor  # how often the graph was drawn

    def __init__(
        self, config: SelfTrainingConfig, student: Supervised, prior: Tensor, rest: int = 0
    ) -> None:
        """prior: share of each class among the labels, `[K]`; rest: unlabelled samples."""
        super().__init__()
        self.config = config
        self.student = student
        self.teacher = teacher_of(student)
        self.trust = Trust(config, prior)
        self.register_buffer("guesses", torch.full((rest,), UNLABELLED, dtype=torch.long))
        self.register_buffer("drawn", torch.zeros((), dtype=torch.long))

    @property
    def clean(self) -> bool:  # type: ignore[override]
        """With a graph the teacher looks at samples as they are, as it will when it answers.

        It measures its normalisations' statistics by what it sees, and those of moved pictures are
        not those of unmoved ones. Its own answers, where they teach, are better for moved ones.
        """
        return self.graph is not None

    def strengths(self) -> tuple[Strength, ...]:
        """The teacher's view (a labelled sample's, with a graph), then the student's."""
        return ("weak", "strong")

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player
        """Cross-entropy with the labels, and with the teacher's answers where they are trusted."""
        assert batch.y is not None
        weak, strong = batch.x.chunk(2)  # [B, ...] each
        with torch.no_grad():
            looked_at = weak if batch.clean is None else batch.clean
            answers = self.teacher.outputs(Batch(looked_at)).softmax(dim=1)  # [B, K]
        without = batch.y <= UNLABELLED  # [B]
        seen = torch.where(without.view(-1, *[1] * (weak.ndim - 1)), strong, weak)
        outputs = self.student.outputs(Batch(seen), encoder_learns=self.student.stage(progress))
        free = without.to(outputs.dtype)
        if self.graph is None:
            belief, target = self.trust(answers, free)  # [B] each
        else:
            self._draw(progress)
            target = self.guesses[(UNLABELLED - batch.y).clamp(min=0)]
            believed = target >= 0  # nothing is, before the graph is drawn
            if progress >= AGREED:
                believed &= answers.argmax(dim=1) == target
            belief = believed.to(free.dtype)
        each = F.cross_entropy(outputs, target, reduction="none", ignore_index=UNLABELLED)
        share = shares(free)
        step = Step.sum(
            len(batch),
            labels=known_loss(self.student.task, outputs, batch.y, ~without),
            consistency=self.config.weight * self._ramp(progress) * (each * belief * share).sum(),
        )
        step.logs["trusted"] = (belief * share).sum()
        return step

    def _draw(self, progress: float) -> None:
        """Ask the graph, at the beginning and at equal distances: `rounds` times in all."""
        assert self.graph is not None
        due = min(self.config.rounds, 1 + int(progress * self.config.rounds))
        if self.training and due > self.drawn:
            self.guesses.copy_(self.graph(self.teacher.encoder, first=not bool(self.drawn)))
            self.drawn.fill_(due)

    def _ramp(self, progress: float) -> float:
        if self.graph is not None:
            return 1.0
        return min(1.0, max(0.0, (progress - self.config.warm) / max(self.config.ramp, 1e-6)))

    def after_step(self, progress: float) -> None:  # noqa: ARG002 - the same throughout
        """The teacher moves a little towards the student."""
        follow(self.teacher, self.student, self.config.momentum)


class Trust(nn.Module):
    """How much each answer counts; what it has seen of confidence so far is in its buffers."""

    KEEP = 0.99  # of the running figures (FreeMatch and SoftMatch use 0.999 over 2^20 steps)

    prior: Tensor  # [K]
    answered: Tensor  # [K], running share of each class among the raw answers
    aligned: Tensor  # [K], the same of the tilted ones
    confidence: Tensor  # running mean of the largest probability
    variance: Tensor  # and its running variance

    def __init__(self, config: SelfTrainingConfig, prior: Tensor) -> None:
        super().__init__()
        self.config = config
        even = torch.full_like(prior, 1 / len(prior))
        self.register_buffer("prior", prior)
        self.register_buffer("answered", even.clone())
        self.register_buffer("aligned", even.clone())
        self.register_buffer("confidence", even.new_tensor(1 / len(prior)))
        self.register_buffer("variance", even.new_tensor(1.0))

    @torch.no_grad()
    def forward(self, answers: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
        """Belief in each answer, in 0..1, and the class answered: `[B]` each.

        answers: probabilities `[B, K]`; free: 1 where a sample is unlabelled, `[B]`.
        """
        answers = answers.float()
        share = shares(free)
        if self.config.align:
            self._follow(self.answered, share @ answers)
            answers = align(answers, self.prior, self.answered)
        sure, target = answers.max(dim=1)
        mean = mean_over_processes((share * sure).sum())
        self._follow(self.confidence, mean)
        self._follow(self.variance, (share * (sure - mean).square()).sum())
        self._follow(self.aligned, share @ answers)
        if self.config.trust == "fixed":
            belief = (sure >= self.config.threshold).float()
        elif self.config.trust == "adaptive":
            limits = adaptive_thresholds(self.confidence, self.aligned)
            belief = (sure >= limits[target]).float()
        else:
            belief = truncated_normal(sure, self.confidence, self.variance)
        return belief, target

    def _follow(self, running: Tensor, now: Tensor) -> None:
        if self.training:
            running.lerp_(mean_over_processes(now), 1 - self.KEEP)


def class_shares(y: Tensor) -> Tensor:
    """The share of each class among the labels `[N]`: `[K]`."""
    return torch.bincount(y).float() / len(y)


def align(answers: Tensor, prior: Tensor, answered: Tensor) -> Tensor:
    """Answers `[B, K]` tilted by what is wanted over what is given, `[K]` each, summing to 1."""
    tilted = answers * (prior / answered.clamp(min=1e-6))
    return tilted / tilted.sum(dim=1, keepdim=True)


def adaptive_thresholds(confidence: Tensor, answered: Tensor) -> Tensor:
    """τ(c) = p̃(c) / max p̃ · τ, with τ the running confidence (FreeMatch, eq. 8): `[K]`."""
    return answered / answered.max() * confidence


def truncated_normal(sure: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """1 above the mean confidence, exp(−(p − μ)² / (2 · (σ/2)²)) below it; `[B]`.

    SoftMatch's eq. 8, with the width of its published settings: two deviations.
    """
    below = (sure - mean).clamp(max=0.0)
    return torch.exp(-2 * below.square() / variance.clamp(min=1e-8))
