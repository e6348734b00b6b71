"""LoRA: low-rank adaptation (Hu et al., 2022, arXiv:2106.09685), through the library peft.

The encoder's weights W `[D, E]` stay as they are; what is learned is the product of two narrow
matrices beside each, W + (α / r) · B A. B begins at zero, so that training begins with the encoder
as it was. Once trained, the product is added to W: a finished run is an ordinary network.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from headstart.errors import UserError

Kind = Literal["lora", "rslora", "dora"]
SHORT_CUT = "activation_relu_or_gelu"  # of PyTorch's blocks: 0 where they may not take it
RANK = 8  # where none is asked for: the paper's


def adapt(encoder: nn.Module, rank: int, kind: Kind) -> None:
    """Put an adapter beside every linear layer, or every convolution where there is none.

    rslora: α / √r in place of α / r (arXiv:2312.03732). dora: also each row's length is learned
    (arXiv:2402.09353).

    Raises:
        UserError: peft is not installed, or there is nothing to adapt.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UserError(
            "adapters need the library peft, which is not installed.",
            "Install it: pip install 'headstart[hub]'",
        ) from error
    # PyTorch's attention multiplies with the weights of its own layers, past any adapter; so do its
    # blocks where they take a short cut in judging.
    inside = {f"{n}.out_proj" for n, m in encoder.named_modules() if _is_attention(m)}
    linear = [n for n, m in encoder.named_modules() if isinstance(m, nn.Linear)]
    names = [name for name in linear if name not in inside]
    for module in encoder.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            setattr(module, SHORT_CUT, 0)
    if not names:
        convolutions = [(n, m) for n, m in encoder.named_modules() if isinstance(m, nn.Conv2d)]
        names = [n for n, m in convolutions if m.groups == 1]
    if not names:
        raise UserError(
            "there is nothing in this backbone that an adapter could stand beside.",
            "Use --mode full or frozen.",
        )
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=names,
        use_rslora=kind == "rslora",
        use_dora=kind == "dora",
    )
    inject_adapter_in_model(config, encoder)


def _is_attention(module: nn.Module) -> bool:
    return isinstance(module, nn.MultiheadAttention)


def merge(encoder: nn.Module) -> None:
    """Add what adapters have learned to the weights beside which they stand, and remove them."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted = [(n, m) for n, m in encoder.named_modules() if isinstance(m, BaseTunerLayer)]
    for name, adapter in adapted:
        adapter.merge()
        parent, _, own = name.rpartition(".")
        setattr(encoder.get_submodule(parent), own, adapter.get_base_layer())
