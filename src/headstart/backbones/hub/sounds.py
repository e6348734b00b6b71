"""Public encoders of recordings: wav2vec 2.0, HuBERT, WavLM, AST, Whisper's encoder, ..."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from headstart.backbones.base import Backbone
from headstart.backbones.hub import networks
from headstart.backbones.hub.choice import HubConfig
from headstart.backbones.tokenwise import pool
from headstart.data.hearing import LEVEL
from headstart.data.snapshots import PREFIX
from headstart.errors import UserError
from headstart.settings import Settings
from headstart.types import Batch, Features, Spec

SHORTEST = 800  # samples: convolutions over waves need some


class HubSounds(Backbone):
    """Waves `[B, 1, L]` → one token a moment, and one vector.

    What the network sees of a wave (the wave itself, normalised; a map of its pitches) is what
    transformers' own feature extractor for it makes, so that it is to the digit what it learned
    from.
    """

    Config: ClassVar[type[Settings]] = HubConfig
    modality: ClassVar[str] = "audio"

    def __init__(self, config: HubConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        if not spec.is_series or spec.shape[0] != 1:
            raise UserError(
                f"{PREFIX}{config.source} needs waves.", "Use --set modality.features=wave."
            )
        self.config = config
        self.pretrained = config.weights
        self.rate = config.rate if config.weights else 1.0
        self.network = networks.built(config.config, config.source)
        self.extractor = networks.extractor(config.config, config.card, config.source)
        networks.freeze_unused(self.network)
        if config.recompute:
            self.network.gradient_checkpointing_enable()
        self.dim = self.token_dim = int(self.network.config.hidden_size)

    @classmethod
    def asks(cls, config: HubConfig) -> dict[str, Any]:
        """Waves, at the rate that it was made with."""
        return {"features": "wave", "rate": int(config.card.get("sampling_rate", 16_000))}

    def begin_with(self) -> str | None:
        """Take the weights that it comes with."""
        return networks.begin_with(self.network, self.config)

    def forward(self, batch: Batch) -> Features:
        """`[B, 1, L]` → pooled `[B, D]`, tokens `[B, T, D]`, mask `[B, T]`."""
        waves = LEVEL * batch.x[:, 0].detach()  # as in a file: within -1..1
        ends = _ends(waves).clamp(min=min(SHORTEST, waves.shape[1]))
        if self.training or self._masks:
            return Features(*self._heard(waves, ends))
        # What is padded is heard: an answer would hang on what else is in its batch.
        rows = [(ends == end).nonzero()[:, 0] for end in torch.unique(ends)]
        heard = zip(*(self._heard(waves[i], ends[i]) for i in rows), strict=True)
        order = torch.cat(rows).argsort()
        pooled, tokens, there = (
            pad_sequence([one for part in parts for one in part], batch_first=True)[order]
            for parts in heard
        )
        return Features(pooled, tokens, there)

    @property
    def _masks(self) -> bool:
        """Whether recordings of several lengths go together without hearing one another's end."""
        maps = self.extractor.feature_size > 1  # all of one length
        return maps or bool(self.extractor.return_attention_mask)

    def _heard(self, waves: Tensor, ends: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pooled, tokens and mask of waves `[B, L]` that end at `ends`, padded to the longest."""
        seen = self._extracted(waves, ends.tolist()).to(waves.device)
        said = self.network(**seen)
        tokens: Tensor = said.last_hidden_state
        there = self._there(tokens, ends)
        own = getattr(said, "pooler_output", None)
        if self.config.pool == "own":
            pooled = pool(tokens, there, "mean") if own is None else own
        else:
            pooled = pool(tokens, there, self.config.pool)
        return pooled, tokens, there

    def frames(self, batch: Batch) -> Tensor:
        """`[B]`."""
        maps = hasattr(self.extractor, "n_samples")  # see `_there`
        if maps or not hasattr(self.network, "_get_feat_extract_output_lengths"):
            return super().frames(batch)
        waves = batch.x[:, 0]
        ends = _ends(waves).clamp(min=min(SHORTEST, waves.shape[1]))
        found: Tensor = self.network._get_feat_extract_output_lengths(ends).clamp(min=1)
        return found

    def _extracted(self, waves: Tensor, ends: list[int]) -> Any:
        """What the network is given, as its own extractor makes it."""
        each = [wave[:end] for wave, end in zip(waves.float().cpu().numpy(), ends, strict=True)]
        rate = self.extractor.sampling_rate
        # Maps of pitches are all of one length; waves as long as the longest.
        alike = {} if self.extractor.feature_size > 1 else {"padding": True}
        return self.extractor(each, sampling_rate=rate, return_tensors="pt", **alike)

    def _there(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """Which tokens `[B, T]` tell of a part of the recording."""
        count = tokens.shape[1]
        many: Tensor
        if hasattr(self.extractor, "n_samples"):  # Whisper's maps are as long as its longest
            many = (ends * count / self.extractor.n_samples).ceil().long()
        elif hasattr(self.network, "_get_feat_extract_output_lengths"):
            many = self.network._get_feat_extract_output_lengths(ends).to(tokens.device)
        else:
            many = torch.full_like(ends, count)
        place = torch.arange(count, device=tokens.device)
        there: Tensor = place < many.clamp(1, count)[:, None]
        return there

    def layers(self) -> list[nn.Module]:
        """What is before the blocks, each block, what follows them."""
        return networks.layers(self.network)


def _ends(waves: Tensor) -> Tensor:
    """Where each wave `[B, L]` ends: what follows is silence to the bit."""
    loud = waves != 0
    last = waves.shape[1] - loud.flip(1).int().argmax(dim=1)
    return torch.where(loud.any(dim=1), last, torch.ones_like(last))
