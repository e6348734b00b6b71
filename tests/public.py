"""What several test files share: small public models, randomly initialised, as folders on disk."""

from __future__ import annotations

import json

import torch

from headstart.modalities import tokenizer as tokenizers

SIZES = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48,
}  # fmt: skip
VOCABULARY = 400


def text_model(folder, kind="bert", **changes):
    """A text encoder of `kind` with a tokenizer of its own; returns the model."""
    from transformers import AutoConfig, AutoModel

    from texts import sentences

    made = tokenizers.train(sentences()[:200], "wordpiece", VOCABULARY, lowercase=True)
    names = made.get_vocab()
    special = {
        "pad_token_id": names["[PAD]"], "bos_token_id": names["[CLS]"],
        "eos_token_id": names["[SEP]"], "cls_token_id": names["[CLS]"],
        "sep_token_id": names["[SEP]"],
    }  # fmt: skip
    torch.manual_seed(1)
    sizes = (
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48}
        if kind == "distilbert"
        else SIZES
    )
    sizes = {**sizes, "vocab_size": VOCABULARY, "max_position_embeddings": 66, **special}
    model = AutoModel.from_config(AutoConfig.for_model(kind, **{**sizes, **changes})).eval()
    model.save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    return model


PICTURES = {
    "vit": {**SIZES, "image_size": 16, "patch_size": 4},
    "dinov2": {**{k: v for k, v in SIZES.items() if k != "intermediate_size"},
               "image_size": 16, "patch_size": 4},
    "convnext": {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 24]},
    "resnet": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 16, 16, 24], "embedding_size": 8,
               "layer_type": "basic"},
    "swin": {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 1],
             "num_heads": [2, 2], "window_size": 4},
}  # fmt: skip


def picture_model(folder, kind="vit", **changes):
    """An encoder of colour pictures of `kind`; returns the model."""
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(1)
    config = AutoConfig.for_model(kind, **{**PICTURES[kind], **changes})
    model = AutoModel.from_config(config).eval()
    model.save_pretrained(folder)
    card = {
        "do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3],
        "size": {"height": 32, "width": 32} if kind in ("swin", "convnext") else {"shortest_edge": 16},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(card))
    return model


WAVES = {
    **SIZES, "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
SOUNDS = {
    "wav2vec2": WAVES,
    "hubert": {**WAVES, "feat_extract_norm": "layer", "do_stable_layer_norm": True},
    "wavlm": WAVES,
    "audio-spectrogram-transformer": {**SIZES, "max_length": 64, "num_mel_bins": 32},
    "whisper": {
        "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 48,
        "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 48, "vocab_size": 60,
        "max_source_positions": 100, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        "decoder_start_token_id": 1,
    },
}  # fmt: skip


def sound_model(folder, kind="wav2vec2"):
    """An encoder of recordings of `kind`; returns the model and its own feature extractor."""
    from transformers import FEATURE_EXTRACTOR_MAPPING, AutoConfig, AutoModel

    torch.manual_seed(1)
    config = AutoConfig.for_model(kind, **SOUNDS[kind])
    model = AutoModel.from_config(config).eval()
    model.save_pretrained(folder)
    card = {
        "wav2vec2": {"return_attention_mask": False, "do_normalize": True},
        "hubert": {"return_attention_mask": True, "do_normalize": True},
        "wavlm": {"return_attention_mask": False},
        "audio-spectrogram-transformer": {"max_length": 64, "num_mel_bins": 32},
        "whisper": {"chunk_length": 2},
    }[kind]
    made = FEATURE_EXTRACTOR_MAPPING[type(config)](**card)
    made.save_pretrained(folder)
    return model, made
