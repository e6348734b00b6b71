"""Two learners that strain the engine: one of two players, one with a moving-average teacher."""

from __future__ import annotations

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import nn

from headstart import collectives
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.types import Step


class TwoPlayers(Learner):
    """A small BiGAN: an encoder and a generator against a discriminator, an optimiser each."""

    class Config(Settings):
        noise: int = setting(4)

    def __init__(self, config, encoder, spec):
        super().__init__()
        self.encoder = encoder
        self.noise = config.noise
        self.code = nn.Linear(encoder.dim, config.noise)
        self.generator = nn.Linear(config.noise, spec.size)
        self.discriminator = nn.Sequential(
            nn.Linear(spec.size + config.noise, 16), nn.LeakyReLU(), nn.Linear(16, 1)
        )

    def players(self):
        makers = [*self.encoder.parameters(), *self.code.parameters(), *self.generator.parameters()]
        return {"judge": list(self.discriminator.parameters()), "makers": makers}

    def forward(self, batch, *, player, progress):
        z = collectives.randn_like(batch.x.new_empty(len(batch), self.noise))
        real = torch.cat([batch.x.flatten(1), self.code(self.encoder(batch).pooled)], 1)
        made = torch.cat([self.generator(z), z], 1)
        if player == "judge":
            real, made = real.detach(), made.detach()
        sign = 1.0 if player == "judge" else -1.0
        real, made = self.discriminator(real), self.discriminator(made)
        loss = F.softplus(-sign * real).mean() + F.softplus(sign * made).mean()
        return Step.sum(len(batch), versus=loss)


class Taught(Learner):
    """A student follows the moving average of itself over two views; a queue remembers."""

    views = 2

    class Config(Settings):
        momentum: float = setting(0.9)

    def __init__(self, config, encoder, spec):
        super().__init__()
        self.encoder = encoder
        self.teacher = deepcopy(encoder).requires_grad_(False)
        self.predictor = nn.Linear(encoder.dim, encoder.dim)
        self.momentum = config.momentum
        self.register_buffer("queue", torch.zeros(8, encoder.dim))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def players(self):
        return {"all": [*self.encoder.parameters(), *self.predictor.parameters()]}

    def forward(self, batch, *, player, progress):
        said = self.predictor(self.encoder(batch).pooled)  # [2 * B, D]
        with torch.no_grad():
            taught = self.teacher(batch).pooled.roll(len(batch), 0)
            if self.training:
                self.queue[self.place % 8] = taught.mean(0)
                self.place += 1
        likeness = F.cosine_similarity(said, taught - self.queue.mean(0)).mean()
        return Step.sum(len(batch), unlike=1 - likeness)

    @torch.no_grad()
    def after_step(self, progress):
        for mine, own in zip(self.teacher.parameters(), self.encoder.parameters(), strict=True):
            mine.lerp_(own, 1 - self.momentum)


class Astray(Learner):
    """Spoils the weights of its encoder: a training that diverges."""

    class Config(Settings):
        """None."""

    def __init__(self, config, encoder, spec):
        super().__init__()
        self.encoder = encoder

    def forward(self, batch, *, player, progress):
        next(self.encoder.parameters()).data.fill_(torch.inf)
        return Step.sum(len(batch), size=self.encoder(batch).pooled.square().mean())


ROWS = {
    "two-players": ("learners:TwoPlayers", "a generator and a discriminator"),
    "taught": ("learners:Taught", "a student and its moving average"),
    "astray": ("learners:Astray", "spoils itself"),
}
