"""Public encoders of texts: BERT and its kin, ModernBERT, MiniLM, and what else reads tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from headstart.backbones.hub import networks
from headstart.backbones.hub.choice import HubConfig
from headstart.backbones.tokenwise import Tokenwise, windows
from headstart.data.snapshots import PREFIX
from headstart.errors import UserError
from headstart.settings import Settings
from headstart.types import Spec, Vocabulary

WIDEST = 512  # tokens of a window, unless asked for more


class HubTexts(Tokenwise):
    """Tokens `[B, T]`, cut and read by a tokenizer and a network made for each other."""

    Config: ClassVar[type[Settings]] = HubConfig
    modality: ClassVar[str] = "text"

    def __init__(self, config: HubConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        assert spec.vocabulary is not None
        self.config = config
        self.pretrained = config.weights
        self.rate = config.rate if config.weights else 1.0
        network = networks.built(config.config, config.source)
        self.network = networks.resized(network, spec.vocabulary.size)
        networks.freeze_unused(self.network)
        if config.recompute:
            self.network.gradient_checkpointing_enable()
        most = positions(config.config)
        if spec.vocabulary.window > most:
            raise UserError(
                f"setting 'modality.window' is {spec.vocabulary.window}: {PREFIX}{config.source}"
                f" looks at {most} tokens together at most."
            )
        self.vocabulary = _padded(spec.vocabulary, self.embedding.num_embeddings)
        self.long = spec.shape[0] > spec.vocabulary.window
        self.pooling = "mean" if config.pool == "own" else config.pool
        self.dim = self.token_dim = int(self.network.config.hidden_size)

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """`[V, E]`."""
        found: nn.Embedding = self.network.get_input_embeddings()
        return found

    @classmethod
    def asks(cls, config: HubConfig) -> dict[str, Any]:
        """Its own tokenizer, and windows as wide as it was made for."""
        return {
            "tokenizer": f"{PREFIX}{config.source}",
            "window": min(WIDEST, positions(config.config)),
        }

    def begin_with(self) -> str | None:
        """Take the weights that it comes with."""
        return networks.begin_with(self.network, self.config, vocabulary=self.vocabulary.size)

    def read(self, x: Tensor, there: Tensor) -> Tensor:
        """See `Tokenwise`; rows wider than a window window by window, each text by itself."""
        b, t = x.shape
        width = self.vocabulary.window
        if torch.compiler.is_exporting():
            return self._graph(x, there)
        x, there = windows(x, width), windows(there, width)
        several = bool((x[:, 1:] == self.vocabulary.begin).any())
        if not several and bool(there[:, 0].all()):
            return self._looked_at(x, there).reshape(b, t, -1)
        # One text a row, and no rows of padding alone: nothing would be looked at there.
        begins = there & (x == self.vocabulary.begin)
        begins[:, 0] = True
        row = (begins.flatten().cumsum(0) - 1)[there.flatten()]  # [M], of each token that is there
        row = torch.unique(row, return_inverse=True)[1]
        place = torch.arange(len(row), device=x.device)
        first = torch.full((int(row.max()) + 1,), len(row), device=x.device)
        place = place - first.scatter_reduce(0, row, place, "amin")[row]
        alone = x.new_full((len(first), int(place.max()) + 1), self.vocabulary.pad)
        alone[row, place] = x[there]
        known = torch.zeros_like(alone, dtype=torch.bool)
        known[row, place] = True
        seen = self._looked_at(alone, known)
        h = seen.new_zeros(*x.shape, seen.shape[-1])
        h[there] = seen[row, place]
        return h.reshape(b, t, -1)

    def _graph(self, x: Tensor, there: Tensor) -> Tensor:
        """One graph for every batch of whole texts: nothing hangs on what is in it."""
        b, t = x.shape
        if self.long:
            wide = self.vocabulary.window
            x, there = (part.reshape(b * (t // wide), wide) for part in (x, there))
        # In a window of padding alone the first token looks at itself: a softmax needs something.
        first = torch.arange(x.shape[1], device=x.device) == 0
        h = self._looked_at(x, there | first)
        return h.reshape(b, t, h.shape[-1])

    def _looked_at(self, x: Tensor, there: Tensor) -> Tensor:
        said = self.network(input_ids=x, attention_mask=there.long())
        found: Tensor = said.last_hidden_state  # [B, T, D]
        return found

    def layers(self) -> list[nn.Module]:
        """The embeddings, each block, what follows them."""
        return networks.layers(self.network)


def positions(config: dict[str, Any]) -> int:
    """Tokens that an architecture can look at together."""
    most = int(config.get("max_position_embeddings") or config.get("n_positions") or WIDEST)
    # RoBERTa and its kin count positions from the number of the padding piece on.
    shifted = config.get("pad_token_id") if "roberta" in str(config.get("model_type")) else None
    return most - (int(shifted) + 1 if shifted is not None else 0)


def _padded(vocabulary: Vocabulary, size: int) -> Vocabulary:
    """With the embeddings that stand for nothing, for networks round the number of theirs up."""
    more = size - vocabulary.size
    return replace(
        vocabulary,
        size=size,
        inside=(*vocabulary.inside, *(False,) * more),
        spelling=(*vocabulary.spelling, *("",) * more),
    )
