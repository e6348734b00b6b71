"""The bidirectional GAN (Donahue et al., 2017, arXiv:1605.09782; also ALI, arXiv:1606.00704).

A generator turns codes into samples, an encoder turns samples into codes, and a discriminator
looks at pairs of both: is this a real sample with the code it was given, or a drawn code with the
sample made of it? It is at a loss only where encoder and generator undo one another, so the
encoder learns what the samples are made of without ever being asked to copy one.

The encoder is given moved samples, and its code is paired with the sample as it was: what moving
changes is no part of the code. It is also held to its code by the sample that is made anew of it.

Sample and code are scored alone as well as together (BigBiGAN, arXiv:1907.02544, section 2).
What keeps the game from collapsing: each real pair is compared with a made one (relativistic
pairing), and the scores may not change steeply near real or made pairs (Huang et al., 2024,
arXiv:2501.05441). The steepness is measured by a small random step (Lin et al., 2025,
arXiv:2501.08316), which any backbone allows, where a second derivative would not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import Parameter

from headstart import collectives
from headstart.backbones.base import Backbone
from headstart.parts.adversarial import Critic, Generator, Trunk
from headstart.parts.distributions import diversity, frechet_distance, reduced
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.types import Batch, Spec, Step

STEP = 0.05  # of the random step, in deviations of samples and codes


class GANConfig(Settings):
    """The code, the rules of the game, and which side the backbone plays on."""

    code: int = setting(32, "width of the code", flag="", least=1)
    start_from: Literal["encoder", "discriminator"] = setting(
        "encoder", "whose network the backbone is, and fine-tuning starts from", flag=""
    )
    augment: bool = setting(
        True, "the encoder sees moved samples, and codes them as they were before", flag=""
    )
    reconstruction: float = setting(
        1.0, "weight of the squared error of samples made anew from their codes", flag="", least=0
    )
    width: int = setting(32, "channels of the light networks next to the picture", flag="", least=1)
    penalty: float = setting(0.3, "weight of the steepness of the scores", flag="", least=0)
    discriminator_rate: float = setting(1.0, "the discriminator's share of --lr", flag="", above=0)
    generator_rate: float = setting(
        2.0, "the generator's and encoder's share of --lr", flag="", above=0
    )
    average: float = setting(
        0.998, "moving average of the generator that makes samples", flag="", least=0, below=1
    )


class GAN(Learner):
    """Generator and encoder against a discriminator of pairs."""

    Config: ClassVar[type[Settings]] = GANConfig

    steps: Tensor

    def __init__(self, config: GANConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.augment = self.clean = config.augment
        self.encoder = encoder
        self.light = Trunk(spec, config.width)  # looks at samples where the backbone does not
        inside = {"encoder": self.encoder.dim, "discriminator": self.light.dim}
        if config.start_from == "discriminator":
            inside = {"encoder": self.light.dim, "discriminator": self.encoder.dim}
        # Codes of samples have mean 0 and deviation 1 from the start, like those that are drawn.
        self.to_code = nn.Sequential(
            nn.Linear(inside["encoder"], config.code), nn.BatchNorm1d(config.code, affine=False)
        )
        self.critic = Critic(inside["discriminator"], config.code)
        self.generator = Generator(config.code, spec, config.width)
        self.average = deepcopy(self.generator).requires_grad_(requires_grad=False)
        self.register_buffer("steps", torch.zeros(()))

    def players(self) -> dict[str, list[Parameter]]:
        """The discriminator, then generator and encoder together."""
        looking = {"encoder": self.encoder, "discriminator": self.light}
        if self.config.start_from == "discriminator":
            looking = {"encoder": self.light, "discriminator": self.encoder}
        return {
            "discriminator": [*looking["discriminator"].parameters(), *self.critic.parameters()],
            "generator": [
                *looking["encoder"].parameters(),
                *self.to_code.parameters(),
                *self.generator.parameters(),
            ],
        }

    def rates(self) -> dict[Parameter, float]:
        """A rate for each side (two time scales: arXiv:1706.08500)."""
        share = {
            "discriminator": self.config.discriminator_rate,
            "generator": self.config.generator_rate,
        }
        return {p: share[name] for name, side in self.players().items() for p in side}

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - no phases
        """The loss of one side; it leaves no gradient on the other's parameters."""
        drawn = collectives.randn_like(batch.x.new_empty(len(batch.x), self.config.code))
        if player == "discriminator":
            with torch.no_grad():
                x, codes = self._pairs(batch, drawn)
            return self._judging(x, codes, len(batch))
        with frozen(self.players()["discriminator"]):
            x, codes = self._pairs(batch, drawn)
            real, made = self._scores(x, codes).chunk(2)  # [B, 3] each
            terms = {"deception": pairing_loss(made, real)}
            if self.config.reconstruction:
                again = self.generator(codes[: len(batch)])
                terms["likeness"] = self.config.reconstruction * F.mse_loss(again, batch.target)
            return Step.sum(len(batch), **terms)

    def _judging(self, x: Tensor, code: Tensor, weight: int) -> Step:
        scores = self._scores(x, code)  # [2B, 3]
        aside = [collectives.randn_like(part, 2) for part in (x, code)]  # of real and made ones
        nearby = self._scores(x + STEP * aside[0], code + STEP * aside[1])
        real, made = scores.chunk(2)
        step = Step.sum(
            weight,
            judgement=pairing_loss(real, made),
            steepness=self.config.penalty * steepness(scores, nearby, STEP),
        )
        step.logs["told_apart"] = (real > made).float().mean(dim=0)[2].detach()
        return step

    def after_step(self, progress: float) -> None:  # noqa: ARG002 - no phases
        """The averaged generator follows; closely at first, or the untrained one would linger."""
        self.steps += 1
        keep = torch.clamp((1 + self.steps) / (10 + self.steps), max=self.config.average)
        with torch.no_grad():
            new = dict(self.generator.named_parameters())
            for name, old in self.average.named_parameters():
                old.lerp_(new[name], 1 - keep)
            running = dict(self.generator.named_buffers())
            for name, kept in self.average.named_buffers():
                kept.copy_(running[name])

    def score(self, batch: Batch) -> dict[str, Tensor]:
        """How near made samples are to real ones: the losses of a game say nothing of that.

        loss: their Fréchet distance, as 8×8 pixels; diversity: their mean distance to one another
        by that of real samples; reconstruction: the squared error of G(E(x)).
        """
        made = self.sample(len(batch.x))
        return {
            "loss": frechet_distance(reduced(made), reduced(batch.x)),
            "diversity": diversity(made) / diversity(batch.x).clamp(min=1e-9),
            "reconstruction": F.mse_loss(self.reconstruct(batch)[1], batch.x),
        }

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A sample, and what the generator makes of its code: alike in kind, not in every value."""
        return batch.x, self.average(self._code(batch.x))

    def sample(self, count: int) -> Tensor:
        """What the averaged generator makes of codes drawn from the standard normal law."""
        code = torch.randn(count, self.config.code, device=self.steps.device)
        return self.average(code)  # type: ignore[no-any-return]

    def _pairs(self, batch: Batch, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Real samples above made ones `[2B, ...]`, and their codes `[2B, K]`."""
        codes = torch.cat([self._code(batch.x), drawn])
        return torch.cat([batch.target, self.generator(drawn)]), codes

    def _code(self, x: Tensor) -> Tensor:
        return self.to_code(self._look(x, "encoder"))  # type: ignore[no-any-return]

    def _scores(self, x: Tensor, code: Tensor) -> Tensor:
        return self.critic(self._look(x, "discriminator"), code)  # type: ignore[no-any-return]

    def _look(self, x: Tensor, who: str) -> Tensor:
        """Features `[B, F]` of samples, as encoder or discriminator has them."""
        if who == self.config.start_from:
            return self.encoder(Batch(x)).pooled  # type: ignore[no-any-return]
        return self.light(x)  # type: ignore[no-any-return]


@contextmanager
def frozen(parameters: Iterable[Parameter]) -> Iterator[None]:
    """Within, gradients pass through what these parameters do, and are not left on them."""
    held = list(parameters)
    for parameter in held:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad = True


def pairing_loss(higher: Tensor, lower: Tensor) -> Tensor:
    """-log σ(higher - lower), summed over scores, mean over pairs: `[B, S]` twice (2501.05441)."""
    return F.softplus(lower - higher).sum(dim=1).mean()


def steepness(here: Tensor, nearby: Tensor, step: float) -> Tensor:
    """Half the squared slope of scores `[B, S]` along random steps of deviation `step`.

    Its mean over normal steps is half the squared norm of the gradient: R1 at real pairs, R2 at
    made ones (Mescheder et al., 2018, arXiv:1801.04406, eq. 9).
    """
    return 0.5 * ((nearby - here) / step).square().sum(dim=1).mean()
