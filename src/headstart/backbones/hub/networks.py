"""From an architecture, as a `config.json` has it, to a network; its weights; its layers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from headstart.data import snapshots
from headstart.errors import UserError

if TYPE_CHECKING:
    from headstart.backbones.hub.choice import HubConfig

# Of an architecture, what would fetch or run something, or says where it once lay.
LEFT_OUT = {
    "_name_or_path", "auto_map", "quantization_config", "attn_implementation",
    "_attn_implementation", "_attn_implementation_internal", "experts_implementation",
    "id2label", "label2id", "torch_dtype", "dtype",
}  # fmt: skip
FROM_ELSEWHERE = {"checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}
# Parameters that only the pre-training of their authors used.
UNUSED = ("mask_token", "masked_spec_embed")


def is_timm(config: Mapping[str, Any]) -> bool:
    """Whether an architecture is one of timm's."""
    return "architecture" in config and config.get("model_type") in (None, "timm_wrapper")


def reads(config: Mapping[str, Any], source: str) -> str:
    """What an encoder is given, in transformers' words: input_ids, pixel_values, ...

    Raises:
        UserError: transformers does not know it, or is not installed.
    """
    if is_timm(config):
        return "pixel_values"
    from transformers import MODEL_MAPPING

    made = _settings(config, source)
    if type(made) not in MODEL_MAPPING:
        raise UserError(f"hub:{source}: transformers has no encoder '{made.model_type}'.")
    found: str = MODEL_MAPPING[type(made)].main_input_name
    return found


def built(config: Mapping[str, Any], source: str) -> Any:
    """A network with fresh weights, less what does not belong to an encoder's features.

    Raises:
        UserError: its architecture is malformed, or its library not installed.
    """
    if is_timm(config):
        return _timm(config)
    from transformers import AutoModel

    with _quiet(), _refused(source):
        made = _settings(config, source)
        network = AutoModel.from_config(
            made, attn_implementation=_attention(made), dtype=torch.float32
        )
    return _encoder_of(network)


def extractor(config: Mapping[str, Any], card: Mapping[str, Any], source: str) -> Any:
    """What makes of waves what a network sees, as its `preprocessor_config.json` has it.

    Raises:
        UserError: transformers has none for this architecture.
    """
    from transformers import FEATURE_EXTRACTOR_MAPPING

    with _quiet(), _refused(source):
        return FEATURE_EXTRACTOR_MAPPING[type(_settings(config, source))].from_dict(dict(card))


def given_weights(config: Mapping[str, Any], source: str, vocabulary: int) -> dict[str, Tensor]:
    """The weights that the snapshot of `built(config)` comes with, all of them.

    vocabulary: the embeddings of a text encoder are resized to, 0 to leave them.

    Raises:
        UserError: they are not safetensors, or some of the encoder's are not there.
    """
    folder = snapshots.locate(source)
    snapshots.check_weights(folder)
    if is_timm(config):
        return _timm_weights(config, source)
    from transformers import AutoModel

    with _quiet(), _refused(source):
        network, info = AutoModel.from_pretrained(
            str(folder),
            config=_settings(config, source),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    whole = set(network.state_dict())
    encoder = _encoder_of(network)
    weights: dict[str, Tensor] = resized(encoder, vocabulary).state_dict()
    # Under their names in the whole model: what is left of it is the end of some of them.
    lost = [n for n in info["missing_keys"] if n in whole and n.endswith(tuple(weights))]
    lost += [str(n) for n in info.get("mismatched_keys", ())]
    if lost and not all(any(mark in n for mark in UNUSED) for n in lost):
        raise UserError(
            f"hub:{source} has not all weights of its encoder; these are missing:",
            *[f"- {name}" for name in lost[:5]],
        )
    return weights


def resized(network: Any, vocabulary: int) -> Any:
    """With as many embeddings as a tokenizer has pieces, where it has more than the network."""
    embedding = network.get_input_embeddings() if vocabulary else None
    if embedding is not None and vocabulary > embedding.num_embeddings:
        with _quiet():
            network.resize_token_embeddings(vocabulary, mean_resizing=False)
    return network


def begin_with(network: nn.Module, config: HubConfig, *, vocabulary: int = 0) -> str | None:
    """Give a network its snapshot's weights, if they are asked for; what matched, in a sentence."""
    if not config.weights:
        return None
    weights = given_weights(config.config, config.source, vocabulary)
    network.load_state_dict(weights)
    return f"the encoder starts from hub:{config.source}: all {len(weights)} tensors match"


def freeze_unused(network: nn.Module) -> None:
    """Leave alone what no gradient reaches."""
    for name, parameter in network.named_parameters():
        if any(mark in name for mark in UNUSED):
            parameter.requires_grad = False


def layers(network: nn.Module) -> list[nn.Module]:
    """From the input up: what is before the blocks, each block, what is after them.

    The blocks are the list of modules that holds most of the weights.
    """
    lists = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.ModuleList)]
    lists = [(n, m) for n, m in lists if len(m) > 1]
    if not lists:
        return [network]
    name, blocks = max(lists, key=lambda pair: sum(p.numel() for p in pair[1].parameters()))
    before: list[nn.Module] = []
    after: list[nn.Module] = []
    at = network
    for part in name.split("."):
        own = list(at._parameters.values())
        if own:
            before.append(nn.ParameterList([p for p in own if p is not None]))
        side = before
        for child_name, child in at.named_children():
            if child_name == part:
                side = after
            elif next(child.parameters(), None) is not None:
                side.append(child)
        at = at.get_submodule(part)
    return [nn.ModuleList(before), *blocks, nn.ModuleList(after)]


def _settings(config: Mapping[str, Any], source: str) -> Any:
    """transformers' own settings object of an architecture."""
    try:
        from transformers import CONFIG_MAPPING
    except ImportError as error:
        raise snapshots.absent("transformers") from error
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING:
        raise UserError(
            f"hub:{source} is of type '{kind}', which transformers does not know.",
            "Models that bring their own code are not run.",
        )
    with _refused(source):
        kept = {name: value for name, value in config.items() if name not in LEFT_OUT}
        made = CONFIG_MAPPING[kind].from_dict(kept)
    for name in ("layerdrop", "encoder_layerdrop"):
        if hasattr(made, name):  # whole layers left out at random: not every step has all weights
            setattr(made, name, 0.0)
    if hasattr(made, "apply_spec_augment"):  # augmentation is the modality's
        made.apply_spec_augment = False
    return made


def _attention(made: Any) -> str:
    from transformers import MODEL_MAPPING

    cls = MODEL_MAPPING[type(made)]
    return "sdpa" if getattr(cls, "_supports_sdpa", False) else "eager"


def _encoder_of(network: Any) -> Any:
    """The part that encodes, without poolers that were trained for something else."""
    if getattr(network.config, "is_encoder_decoder", False):
        network = network.get_encoder()
    pooler = getattr(network, "pooler", None)
    if isinstance(pooler, nn.Module) and next(pooler.parameters(), None) is not None:
        network.pooler = None
    return network


def _timm(config: Mapping[str, Any]) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise snapshots.absent("timm") from error
    name = str(config["architecture"])
    if ":" in name:  # timm would look for it elsewhere
        raise UserError(f"'{name}' is no architecture of timm's.")
    options = {n: v for n, v in config.get("model_args", {}).items() if n not in FROM_ELSEWHERE}
    with _refused(name):
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **options)
    return network


def _timm_weights(config: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    wanted = _timm(config).state_dict()
    found: dict[str, Tensor] = {}
    for path in sorted(snapshots.locate(source).glob("*.safetensors")):
        found |= load_file(path)
    lost = [name for name in wanted if name not in found]
    if lost:
        raise UserError(
            f"hub:{source} has not all weights of its encoder; these are missing:",
            *[f"- {name}" for name in lost[:5]],
        )
    return {name: found[name].float() for name in wanted}


@contextmanager
def _quiet() -> Iterator[None]:
    """No reports of transformers' meanwhile: what matters of them is raised."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.CRITICAL)
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()


@contextmanager
def _refused(source: str) -> Iterator[None]:
    """Whatever a library says of an architecture or of weights that it cannot use, as a sentence.

    Its checks raise nearly anything.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise UserError(f"hub:{source} cannot be used: {lines[0][:300]}") from error
