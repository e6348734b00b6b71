"""A folder that Hugging Face transformers loads: `AutoModel`, `pipeline`.

Where an architecture of theirs computes what ours does, the weights go there and nothing of ours is
needed: a `vit` with the mean of its tokens is SigLIP's vision model. Any other network of pictures
or texts comes with a file of code, `modeling_headstart.py`, for which `trust_remote_code=True` must
be said and headstart be installed.
"""

from __future__ import annotations

import json
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from headstart.backbones.vit import ViT
from headstart.errors import UserError
from headstart.export.base import Asked, Work
from headstart.export.graph import FEATURES, Graph
from headstart.export.text_files import whole
from headstart.export.weights import learned, parts_of
from headstart.modalities.image import Image
from headstart.modalities.text import Text
from headstart.runs.atomic import write_json
from headstart.tasks.classification import Classification
from headstart.tasks.regression import Regression

CODE = "modeling_headstart.py"


class Transformers:
    """See `base.Format`."""

    suffix: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("transformers",)

    @staticmethod
    def write(path: Path, work: Work) -> None:
        """Weights and config, and what prepares samples: an image processor or a tokenizer.

        Raises:
            UserError: the run is of other samples than pictures and texts, or of a task that
                their models do not have.
        """
        modality = work.graph.door.modality
        if not isinstance(modality, Image | Text):
            raise UserError(
                "transformers' pipelines take pictures and texts; this run is of others.",
                "Use --format onnx.",
            )
        task = work.graph.task
        if task is not None and not isinstance(task, Classification | Regression):
            raise UserError(
                f"transformers' classifiers give one class or one number; this run is of"
                f" --task {task.name}.",
                "Use --format onnx.",
            )
        path.mkdir()
        if _is_siglip(work.graph):
            _siglip(work.graph).save_pretrained(path)
        else:
            _with_code(path, work)
        if isinstance(modality, Image):
            write_json(path / "preprocessor_config.json", _processor(modality))
        else:
            _save_tokenizer(path, modality, work.graph.door.free[1].step)

    @staticmethod
    def opened(path: Path) -> Asked:
        """The folder as transformers load it."""
        import transformers

        config = json.loads((path / "config.json").read_text())
        code = "auto_map" in config
        kinds = [name for name in config.get("auto_map", {}) if name.startswith("AutoModel")]
        kind = kinds[0] if kinds else "AutoModel"
        if config["architectures"][0].endswith("ForImageClassification"):
            kind = "AutoModelForImageClassification"
        loader = getattr(transformers, kind)
        model = loader.from_pretrained(str(path), trust_remote_code=code).eval()

        @torch.no_grad()
        def ask(raw: Any) -> dict[str, Any]:
            x = torch.from_numpy(raw)
            if (path / "preprocessor_config.json").exists():
                said = model(pixel_values=_prepared(path, x))
            else:
                said = model(input_ids=x)
            if "logits" not in said:
                pooled = said.pooler_output if code else said.last_hidden_state.mean(dim=1)
                return {FEATURES: pooled.numpy()}
            if said.logits.shape[1] == 1:
                return {"prediction": said.logits[:, 0].numpy()}
            return {"probabilities": said.logits.softmax(dim=1).numpy()}

        return ask


def _prepared(path: Path, x: Tensor) -> Tensor:
    """`uint8 [N, C, H, W]` → what the image processor makes of it: three channels, normalised."""
    kept = json.loads((path / "preprocessor_config.json").read_text())
    mean, std = (torch.tensor(kept[f"image_{name}"]).view(-1, 1, 1) for name in ("mean", "std"))
    return (x.float().expand(-1, 3, -1, -1) / 255 - mean) / std


def _processor(modality: Image) -> dict[str, Any]:
    """Grey pictures come as three channels that are alike."""
    height, width = modality.size
    times = 3 // modality.channels
    return {
        "image_processor_type": "ViTImageProcessor", "do_resize": True, "do_rescale": True,
        "do_normalize": True, "do_convert_rgb": True, "resample": 2, "rescale_factor": 1 / 255,
        "size": {"height": height, "width": width},
        "image_mean": list(modality.mean) * times, "image_std": list(modality.std) * times,
    }  # fmt: skip


def _save_tokenizer(path: Path, modality: Text, step: int) -> None:
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer.from_str(json.dumps(whole(modality, step)))
    pad = made.id_to_token(modality.vocabulary.pad)
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=pad, model_max_length=modality.length,
        model_input_names=["input_ids"],
    ).save_pretrained(path)  # fmt: skip


def _labels(graph: Graph) -> dict[str, Any]:
    if isinstance(graph.task, Classification):
        names = [str(name) for name in graph.task.classes]
        return {
            "id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)},
        }  # fmt: skip
    return {} if graph.task is None else {"num_labels": 1, "problem_type": "regression"}


def _is_siglip(graph: Graph) -> bool:
    """Whether SigLIP's vision model computes what this network does."""
    encoder, modality = graph.encoder, graph.door.modality
    if not isinstance(encoder, ViT) or encoder.embed.cls is not None:
        return False
    height, width = modality.size
    fits = height == width and height % encoder.patch == 0
    return fits and (graph.task is None or isinstance(graph.task, Classification))


def _siglip(graph: Graph) -> Any:
    """SigLIP's vision model with these weights; its classifier is the head at its temperature."""
    from transformers import (
        SiglipConfig,
        SiglipForImageClassification,
        SiglipVisionConfig,
        SiglipVisionModel,
    )

    encoder, modality = graph.encoder, graph.door.modality
    assert isinstance(encoder, ViT)
    vision = {
        "hidden_size": encoder.dim, "intermediate_size": 4 * encoder.dim,
        "num_hidden_layers": len(encoder.blocks), "num_channels": 3,
        "num_attention_heads": encoder.blocks[0].heads, "image_size": modality.size[0],
        "patch_size": encoder.patch, "hidden_act": "gelu", "layer_norm_eps": 1e-6,
        "vision_use_head": False,
    }  # fmt: skip
    model: Any
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if graph.task is None:
            model = SiglipVisionModel(SiglipVisionConfig(**vision))
        else:
            model = SiglipForImageClassification(
                SiglipConfig(vision_config=vision, **_labels(graph))
            )
    with torch.no_grad():
        _fill(model if graph.task is None else model.vision_model, encoder, modality.channels)
        if graph.task is not None:
            _fill_head(model.classifier, graph.task)
    return model.eval()


def _fill(vision: Any, encoder: ViT, channels: int) -> None:
    vision = getattr(vision, "vision_model", vision)
    side = encoder.patch
    weight = encoder.embed.project.weight.view(-1, side, side, channels).permute(0, 3, 1, 2)
    if channels == 1:  # a grey picture comes as three channels that are alike
        weight = weight.expand(-1, 3, -1, -1) / 3
    vision.embeddings.patch_embedding.weight.copy_(weight)
    vision.embeddings.patch_embedding.bias.copy_(encoder.embed.project.bias)
    vision.embeddings.position_embedding.weight.copy_(encoder.embed.positions[0])
    blocks: Any = encoder.blocks
    for layer, block in zip(vision.encoder.layers, blocks, strict=True):
        attention = layer.self_attn
        pairs = [
            (layer.layer_norm1, block.norm1), (layer.layer_norm2, block.norm2),
            (attention.out_proj, block.out), (layer.mlp.fc1, block.mlp[0]),
            (layer.mlp.fc2, block.mlp[2]),
        ]  # fmt: skip
        for theirs, ours in pairs:
            theirs.load_state_dict(ours.state_dict())
        weights, biases = block.qkv.weight.chunk(3), block.qkv.bias.chunk(3)
        for name, w, b in zip(("q_proj", "k_proj", "v_proj"), weights, biases, strict=True):
            getattr(attention, name).weight.copy_(w)
            getattr(attention, name).bias.copy_(b)
    vision.post_layernorm.load_state_dict(encoder.norm.state_dict())


def _fill_head(theirs: nn.Linear, task: Any) -> None:
    """The norm of features and the temperature become part of the linear layer."""
    norm, _, linear = task.head
    scale = (norm.running_var + norm.eps).rsqrt()
    weight = linear.weight * scale
    theirs.weight.copy_(weight / task.temperature)
    theirs.bias.copy_((linear.bias - weight @ norm.running_mean) / task.temperature)


def _with_code(path: Path, work: Work) -> None:
    """Config, weights, what rebuilds the network, and the code that does."""
    graph = work.graph
    kind = "Image" if isinstance(graph.door.modality, Image) else "Sequence"
    auto = "AutoModel" if graph.task is None else f"AutoModelFor{kind}Classification"
    name = "HeadstartModel" if graph.task is None else "HeadstartForClassification"
    module = CODE.removesuffix(".py")
    config = {
        "model_type": "headstart", "architectures": [name], **_labels(graph),
        "auto_map": {"AutoConfig": f"{module}.HeadstartConfig", auto: f"{module}.{name}"},
    }  # fmt: skip
    write_json(path / "config.json", config)
    write_json(path / "headstart.json", parts_of(work))
    tensors = {n: t.contiguous().clone() for n, t in learned(graph).state_dict().items()}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    source = files("headstart.export").joinpath("templates", CODE)
    (path / CODE).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
