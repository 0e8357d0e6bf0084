"""Text encoders in transformers' classes: those of the shipped models, and T5 in 4 bits."""

from __future__ import annotations

from pathlib import Path

import torch

from ..mini.configs import T5_LENGTH
from ..mini.files import MiniFiles
from ..tensor_files import open_tensors
from ..weights import require_complete
from .compute import Machine

CLIP_LENGTH = 77


def load_t5(files: MiniFiles, dtype: torch.dtype) -> tuple:
    """(T5EncoderModel, tokenizer)."""
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    config = T5Config(**files.config("t5"), feed_forward_proj="gated-gelu", dropout_rate=0.0)
    model = T5EncoderModel(config)
    tensors = open_tensors(files.t5).read()
    tensors["encoder.embed_tokens.weight"] = tensors["shared.weight"]
    require_complete(model, tensors, "small T5")
    model.load_state_dict(tensors)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(files.tokenizer("t5"), model_max_length=T5_LENGTH)
    return model.to(dtype).eval(), tokenizer


def load_clip(files: MiniFiles, dtype: torch.dtype) -> tuple:
    """(CLIPTextModel, tokenizer); prompts are padded with the end token, as CLIP's are."""
    from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

    model = CLIPTextModel(CLIPTextConfig(**files.config("clip")))
    prefix = "text_model." if hasattr(model, "text_model") else ""
    tensors = {prefix + key.removeprefix("text_model."): value for key, value in open_tensors(files.clip).read().items()}
    require_complete(model, tensors, "small CLIP")
    model.load_state_dict(tensors)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(files.tokenizer("clip"), model_max_length=CLIP_LENGTH, pad_token="</s>")
    return model.to(dtype).eval(), tokenizer


def t5_in_4_bits(folder: Path, machine: Machine) -> dict:
    """{name of the folder: T5EncoderModel} when the machine wants nf4, {} otherwise: what a pipeline then does not load itself."""
    config = machine.quantization("transformers")
    if config is None:
        return {}
    from transformers import T5EncoderModel

    encoder = T5EncoderModel.from_pretrained(folder, quantization_config=config, dtype=machine.dtype, local_files_only=True)
    return {folder.name: encoder}
