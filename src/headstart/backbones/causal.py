"""A causal transformer: each token sees those before it, so that texts can be written on."""

from __future__ import annotations

from typing import ClassVar

from headstart.backbones.tokenwise import Pool
from headstart.backbones.transformer import Transformer, TransformerConfig
from headstart.settings import Settings, setting


class CausalConfig(TransformerConfig):
    """As of `transformer`; the last token has seen the whole text."""

    pool: Pool = setting("mean", "mean, max, first or last token: the vector of the text", flag="")


class Causal(Transformer):
    """See `Transformer`."""

    Config: ClassVar[type[Settings]] = CausalConfig
    causal: ClassVar[bool] = True
