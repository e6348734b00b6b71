"""Autoregression: guess the steps that come next from those before (as in APC, 1904.03240).

Every place of a series asks for the `horizon` steps after it: the very next alone is nearly the
last again, and teaches little.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.backbones.stepwise import Stepwise
from headstart.errors import UserError
from headstart.objectives.autoencoder import mean_sample_loss
from headstart.parts.learner import Learner
from headstart.parts.measured import counted, squared_error
from headstart.settings import Settings, setting
from headstart.types import Batch, Spec, Step


class AutoregressiveConfig(Settings):
    """How far ahead is guessed."""

    horizon: int | None = setting(
        None,
        "steps ahead that are guessed; by default an eighth of the series, at most 32",
        flag="",
        least=1,
    )
    augment: bool = setting(True, "learn from moved and stretched series", flag="")


class Autoregressive(Learner):
    """What was before → what comes next."""

    Config: ClassVar[type[Settings]] = AutoregressiveConfig
    needs: ClassVar[type[Backbone]] = Stepwise  # type: ignore[type-abstract]
    encoder: Stepwise

    def __init__(self, config: AutoregressiveConfig, encoder: Stepwise, spec: Spec) -> None:
        super().__init__()
        self.encoder = encoder
        self.spec = spec
        self.augment = config.augment
        channels, length = spec.shape
        usual = max(encoder.stride, min(32, length // 8))
        asked = usual if config.horizon is None else config.horizon
        self.horizon = min(asked, length - encoder.stride)
        if self.horizon < 1:
            raise UserError(
                f"a horizon of {asked} leaves nothing to guess of {length} steps, of which"
                f" {encoder.stride} are read at once.",
                "objective.horizon is at least 1; backbone.patch (or stride) less than a series.",
            )
        self.head = nn.Linear(encoder.token_dim, channels * self.horizon)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Mean squared error over all steps guessed that are part of the series."""
        target = following(batch.x, self.encoder.stride, self.horizon)  # [B, N, C, H]
        guess = self._guess(batch.x)[:, : target.shape[1]]
        guess, target = (part.movedim(2, 1) for part in (guess, target))  # [B, C, N, H]
        loss = squared_error(guess, target, flagged=self.spec.flagged)
        return Step.sum(counted(target, flagged=self.spec.flagged), ahead=loss)

    def trivial_loss(self, batch: Batch) -> float:
        """The error of guessing the mean of each place."""
        return mean_sample_loss(batch.x, flagged=self.spec.flagged)

    def _guess(self, x: Tensor) -> Tensor:
        """What each token says of the steps after its own, `[B, N, C, H]`."""
        tokens = self.encoder.read(x, self.encoder.there(x), causal=True)
        return self.head(tokens).unflatten(2, (-1, self.horizon))  # type: ignore[no-any-return]


def following(x: Tensor, stride: int, horizon: int) -> Tensor:
    """The `horizon` steps after those of each token: `[B, C, T]` → `[B, N, C, H]`.

    Token i is of steps `i · stride` to `(i + 1) · stride`. Tokens that have not so many steps
    after them are left out.
    """
    return x[:, :, stride:].unfold(2, horizon, stride).movedim(1, 2)
