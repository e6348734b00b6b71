"""A network of headstart's as transformers load it; headstart must be installed."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput

from headstart.export.weights import learned, rebuilt
from headstart.types import Batch


class HeadstartConfig(PretrainedConfig):
    """What the network is lies in headstart.json beside."""

    model_type = "headstart"


class HeadstartModel(PreTrainedModel):
    """Pictures or tokens -> features."""

    config_class = HeadstartConfig

    def __init__(self, config, parts=None):
        super().__init__(config)
        if parts is None:
            raise ValueError("load it with from_pretrained(folder)")
        self.network = rebuilt(parts)
        self.post_init()

    def _init_weights(self, module):
        """They are loaded."""

    @classmethod
    def from_pretrained(cls, path, *args, config=None, **kwargs):
        """From the folder that headstart exported."""
        folder = Path(path)
        config = config or HeadstartConfig.from_pretrained(path)
        model = cls(config, json.loads((folder / "headstart.json").read_text("utf-8")))
        learned(model.network).load_state_dict(load_file(folder / "model.safetensors"))
        return model.eval()

    def _answers(self, input_ids=None, pixel_values=None):
        """Outputs by name."""
        graph = self.network
        if pixel_values is None:
            step = graph.door.free[1].step
            pad = graph.door.modality.vocabulary.pad
            x = torch.nn.functional.pad(input_ids, (0, -input_ids.shape[1] % step), value=pad)
        else:
            x = pixel_values
            if graph.door.modality.channels == 1:
                x = x.mean(dim=1, keepdim=True)
        return dict(zip(graph.names, graph.prepared(x), strict=True))

    def forward(self, input_ids=None, pixel_values=None, **unused):
        """`pooler_output` [B, D]."""
        x = input_ids if pixel_values is None else pixel_values
        if pixel_values is not None and self.network.door.modality.channels == 1:
            x = x.mean(dim=1, keepdim=True)
        found = self.network.encoder(Batch(x))
        return BaseModelOutputWithPooling(found.tokens, found.pooled)


class HeadstartForClassification(HeadstartModel):
    """Pictures or tokens -> logits at the calibrated temperature, or one number."""

    def forward(self, input_ids=None, pixel_values=None, **unused):
        """`logits` [B, K]; [B, 1] of regression."""
        said = self._answers(input_ids, pixel_values)
        if "prediction" in said:
            return SequenceClassifierOutput(logits=said["prediction"][:, None])
        return SequenceClassifierOutput(logits=said["probabilities"].log())
