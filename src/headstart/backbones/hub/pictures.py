"""Public encoders of pictures: ViT, DINOv2, ConvNeXt, ResNet, Swin, ...; and timm's."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.backbones.hub import networks
from headstart.backbones.hub.choice import HubConfig
from headstart.backbones.tokenwise import pool
from headstart.data.snapshots import PREFIX
from headstart.errors import UserError
from headstart.settings import Settings
from headstart.types import Batch, Features, Spec


class HubPictures(Backbone):
    """Pictures `[B, C, H, W]` → one token a patch, or a place of the last map, and one vector."""

    Config: ClassVar[type[Settings]] = HubConfig
    modality: ClassVar[str] = "image"

    def __init__(self, config: HubConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.pretrained = config.weights
        self.rate = config.rate if config.weights else 1.0
        self.network = networks.built(config.config, config.source)
        self.timm = networks.is_timm(config.config)
        networks.freeze_unused(self.network)
        if config.recompute:
            (self.network.set_grad_checkpointing if self.timm
             else self.network.gradient_checkpointing_enable)()  # fmt: skip
        self.options: dict[str, Any] = {}
        if not self.timm and "interpolate_pos_encoding" in _accepted(self.network):
            self.options["interpolate_pos_encoding"] = True  # pictures may have another size
        self.begins = any(name.endswith("cls_token") for name, _ in self.named_parameters())
        self.dim = self.token_dim = self._width(spec)

    def _width(self, spec: Spec) -> int:
        if not spec.is_image:
            raise UserError(f"{PREFIX}{self.config.source} needs pictures.")
        try:
            with torch.no_grad():
                self.eval()
                found = self(Batch(torch.zeros(1, *spec.shape))).pooled.shape[1]
                self.train()
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"{PREFIX}{self.config.source} does not read pictures of {spec.shape[0]} channels"
                f" and {spec.shape[1]}×{spec.shape[2]} pixels: {str(error).splitlines()[0]}"
            ) from error
        return int(found)

    @classmethod
    def asks(cls, config: HubConfig) -> dict[str, Any]:
        """The size, the channels, the mean and the deviation that it was made with."""
        if networks.is_timm(config.config):
            card = config.config.get("pretrained_cfg", {})
            size = card.get("input_size", [3, 224, 224])
            found = {"size": size[-1], "channels": size[0]}
            return {**found, **{k: card[k] for k in ("mean", "std") if k in card}}
        card = config.card
        size = card.get("crop_size") if card.get("do_center_crop") else None
        size = size or card.get("size") or config.config.get("image_size")
        if isinstance(size, dict):
            size = size.get("height") or size.get("shortest_edge")
        asked = {"channels": config.config.get("num_channels", 3)}
        if isinstance(size, int):
            asked["size"] = size
        if card.get("do_normalize", True):
            names = {"image_mean": "mean", "image_std": "std"}
            asked |= {own: card[theirs] for theirs, own in names.items() if theirs in card}
        return asked

    def begin_with(self) -> str | None:
        """Take the weights that it comes with."""
        return networks.begin_with(self.network, self.config)

    def forward(self, batch: Batch) -> Features:
        """`[B, C, H, W]` → pooled `[B, D]`, tokens `[B, T, D]`."""
        x = batch.x.contiguous()
        if self.timm:
            h = self.network.forward_features(x)
            own = self.network.forward_head(h, pre_logits=True)  # [B, D]
        else:
            said = self.network(pixel_values=x, **self.options)
            h = said.last_hidden_state  # [B, T, D] or [B, D, h, w]
            own = getattr(said, "pooler_output", None)
        maps = h.ndim == 4
        tokens: Tensor = h.flatten(2).transpose(1, 2) if maps else h
        return Features(self._pooled(tokens, own), tokens)

    def _pooled(self, tokens: Tensor, own: Tensor | None) -> Tensor:
        how = self.config.pool
        if how == "own":
            if own is not None:
                return own.flatten(1)
            how = "first" if self.begins else "mean"
        everywhere = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return pool(tokens, everywhere, how)

    def layers(self) -> list[nn.Module]:
        """What is before the blocks, each block or stage, what follows them."""
        return networks.layers(self.network)


def _accepted(network: nn.Module) -> set[str]:
    return set(inspect.signature(network.forward).parameters)
