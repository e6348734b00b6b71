"""The Learner that fine-tunes: an encoder, a task's head, and which of them may move when."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from headstart.backbones.base import Backbone
from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.tasks import adapters
from headstart.tasks.base import Task
from headstart.tasks.frames import blanked, gathered
from headstart.tasks.lexical import Lexical
from headstart.tasks.mixing import mix
from headstart.types import Batch, Step, Vocabulary

Mode = Literal["staged", "full", "frozen", "lora"]
ADAPTERS_RATE = 10.0  # of adapters, as a multiple of the rate that suits the encoder's weights


class FineTuneConfig(Settings):
    """What of the encoder is trained, and how fast."""

    mode: Mode = setting(
        "staged",
        "frozen: a linear probe; full: all at once; staged: the head first, then all; lora: narrow"
        " matrices beside the encoder's weights",
    )
    lora: int = setting(
        0,
        "rank of those matrices: of mode lora 8 by default; of the others 0, for none",
        flag="",
        least=0,
    )
    lora_kind: adapters.Kind = setting("lora", "lora, rslora or dora", flag="")
    head_share: float = setting(
        0.1, "staged: part of the training for the head alone", flag="", least=0, most=1
    )
    layer_decay: float = setting(
        0.9,
        "rate of each layer of a pre-trained encoder, as a share of the layer above",
        flag="",
        least=0,
        most=1,
    )
    lexical: bool | None = setting(
        None,
        "texts: a weight for every run of words and characters beside the network; by default"
        " for classes, unless the encoder is frozen or public",
        flag="",
    )
    augment: bool = setting(True, "train on moved and turned samples", flag="")
    mixup: float = setting(
        0.0, "blend pairs of samples: α of the Beta law, 0 for none", flag="", least=0
    )
    cutmix: float = setting(
        0.0, "cut a box of one picture into another: α, 0 for none", flag="", least=0
    )

    def merged(self) -> FineTuneConfig:
        """As of a finished run, whose weights hold what its adapters had learned."""
        return replace(self, mode="full" if self.mode == "lora" else self.mode, lora=0)


class Supervised(Learner):
    """Encoder and head, trained on labels.

    pretrained: whether the encoder starts from a run; from scratch every layer is trained from
        the first step at the full rate, whatever the mode.
    """

    Config: ClassVar[type[Settings]] = FineTuneConfig

    def __init__(
        self, config: FineTuneConfig, encoder: Backbone, task: Task, *, pretrained: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.task = task
        self.augment = config.augment
        self.mixup, self.cutmix = config.mixup, config.cutmix
        self.mode: Mode = config.mode if pretrained or config.mode == "frozen" else "full"
        self.head_share = config.head_share if self.mode == "staged" else 0.0
        self.decay = config.layer_decay if pretrained else 1.0
        self.rate = encoder.rate
        self.rank = config.lora or (adapters.RANK if config.mode == "lora" else 0)
        if self.rank:
            if not pretrained or self.mode == "frozen":
                raise UserError(
                    "adapters need an encoder that has learned something and may still learn.",
                    "Add --from RUN or --backbone hub:NAME, or leave --mode lora out.",
                )
            adapters.adapt(encoder, self.rank, config.lora_kind)
            # They begin from nothing: there is nothing in them that a high rate would destroy.
            self.rate, self.decay = min(1.0, ADAPTERS_RATE * encoder.rate), 1.0
        if self.mode == "frozen":
            self.encoder.requires_grad_(requires_grad=False)
        self.lexical = self._lexical(config.lexical)

    def _lexical(self, asked: bool | None) -> Lexical | None:
        """The weights of runs, where they are asked for."""
        vocabulary = getattr(self.encoder, "vocabulary", None)
        whole = self.task.logits and not self.task.framewise
        reads = isinstance(vocabulary, Vocabulary) and whole
        if asked and not reads:
            raise UserError(
                "setting 'finetune.lexical' is true: only classes of whole texts have it.",
                "Leave it out.",
            )
        usual = self.mode != "frozen" and not self.encoder.pretrained
        if not reads or not (usual if asked is None else asked):
            return None
        assert isinstance(vocabulary, Vocabulary)
        return Lexical(vocabulary, self.task.answered)

    def merge(self) -> None:
        """Make what adapters have learned part of the encoder's own weights."""
        if self.rank:
            adapters.merge(self.encoder)
            self.rank = 0

    def train(self, mode: bool = True) -> Supervised:
        """A frozen encoder stays in evaluation mode: its running statistics are frozen too."""
        super().train(mode)
        if self.mode == "frozen":
            self.encoder.eval()
        return self

    def rates(self) -> dict[Parameter, float]:
        """Lower layers hold what is general: each takes `layer_decay` of the rate above it."""
        layers: list[nn.Module] = self.encoder.layers()
        return {
            parameter: self.rate * self.decay ** (len(layers) - depth)
            for depth, layer in enumerate(layers)
            for parameter in layer.parameters()
        }

    def stage(self, progress: float) -> bool:
        """Whether the encoder learns at `progress`; where it does not, its statistics rest too."""
        learns = self.mode != "frozen" and progress >= self.head_share
        if self.training and self.encoder.training != learns:
            self.encoder.train(learns)
        return learns

    def outputs(self, batch: Batch, *, encoder_learns: bool = True) -> Tensor:
        """Head outputs `[B, K]`; of a task on frames `[B, T, K]`, see `tasks/frames.py`.

        Of an ensemble, those of its members' mean answer.
        """
        outputs, members = self.each(batch, encoder_learns=encoder_learns)
        if members == 1:
            return outputs
        return self.task.average(outputs.view(-1, members, outputs.shape[1]).transpose(0, 1))

    def each(self, batch: Batch, *, encoder_learns: bool = True) -> tuple[Tensor, int]:
        """Head outputs `[B · M, ...]` of each of M members, sample by sample, and M."""
        with torch.set_grad_enabled(encoder_learns and torch.is_grad_enabled()):
            features = self.encoder(batch)
        if self.task.framewise:
            features = gathered(features, batch.frames)  # tokens [B, T, D]
            assert features.mask is not None
            return blanked(self.task.head(features), features.mask), 1
        if features.members is None:
            outputs = self.task.head(features.pooled)
            return outputs if self.lexical is None else outputs + self.lexical(batch.x), 1
        return self.task.head(features.members.flatten(0, 1)), features.members.shape[1]

    def trivial_loss(self, batch: Batch) -> float | None:
        """The loss of the best answer that is the same for every sample, as the task has it."""
        return None if batch.y is None else self.task.trivial_loss(batch.y)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player
        """The task's loss on labelled samples."""
        assert batch.y is not None
        learns = self.stage(progress)
        if self.training and (self.mixup or self.cutmix):
            mixed = mix(batch.x, self.mixup, self.cutmix, blends=self.encoder.blends)
            outputs, members = self.each(mixed.batch, encoder_learns=learns)
            first, partners = (
                y.repeat_interleave(members, dim=0) for y in (batch.y, batch.y[mixed.partner])
            )
            loss = mixed.loss(self.task.loss(outputs, first), self.task.loss(outputs, partners))
        else:
            outputs, members = self.each(batch, encoder_learns=learns)
            targets = batch.y.repeat_interleave(members, dim=0)
            loss = self.task.loss(outputs, targets)
            led = self.task.lead(outputs, targets, progress) if self.training else None
            if led is not None:
                logs = {"loss": loss.detach(), "lead": led.detach()}
                return Step(loss + led, self.task.counted(batch.y), logs)
        return Step(loss, self.task.counted(batch.y), {"loss": loss.detach()})
