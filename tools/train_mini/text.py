"""Tokenizers and text encoders of the mini models: real T5 and CLIP classes on a small vocabulary."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

from pam_nodes.mini.configs import T5_LENGTH

PAD, END, UNKNOWN, START = 0, 1, 2, 3
CLIP_LENGTH = 77


def build_tokenizers(prompts: list[str], folder: Path) -> None:
    """Write one unigram vocabulary of whole words and letters, framed as T5 and as CLIP want it."""
    words = sorted({word for prompt in prompts for word in prompt.lower().replace(",", " ,").replace(".", " .").split()})
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("<s>", 0.0), ("▁", -9.0)]
    pieces += [(f"▁{word}", -2.0) for word in words] + [(letter, -10.0) for letter in "abcdefghijklmnopqrstuvwxyz0123456789,.-'"]
    for name, template in (("t5", "$A </s>"), ("clip", "<s> $A </s>")):
        tokenizer = Tokenizer(models.Unigram(pieces, unk_id=UNKNOWN))
        spaced = [normalizers.Replace(mark, f" {mark}") for mark in ",."]
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *spaced])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("</s>", END), ("<s>", START)])
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", bos_token="<s>")
        fast.save_pretrained(folder / f"{name}_tokenizer")


def t5_config(vocab_size: int) -> dict:
    """Config of the T5 encoder, in the words of T5's own config files."""
    return {
        "model_type": "t5",
        "vocab_size": vocab_size,
        "d_model": 128,
        "d_kv": 32,
        "d_ff": 256,
        "num_layers": 2,
        "num_heads": 4,
        "dense_act_fn": "gelu_pytorch_tanh",
        "is_gated_act": True,
        "layer_norm_epsilon": 1e-6,
    }


def clip_config(vocab_size: int) -> dict:
    """Config of the CLIP text model."""
    return {
        "vocab_size": vocab_size,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": CLIP_LENGTH,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
        "eos_token_id": END,
        "bos_token_id": START,
        "pad_token_id": END,
        "projection_dim": 64,
    }


class TextEncoders(nn.Module):
    """T5 for the tokens, and CLIP for the pooled vector where the stage wants one."""

    def __init__(self, folder: Path, with_clip: bool):
        super().__init__()
        self.t5_tokens = PreTrainedTokenizerFast.from_pretrained(folder / "t5_tokenizer")
        self.clip_tokens = PreTrainedTokenizerFast.from_pretrained(folder / "clip_tokenizer")
        config = t5_config(len(self.t5_tokens))
        self.t5 = T5EncoderModel(T5Config(**{**config, "feed_forward_proj": "gated-gelu", "dropout_rate": 0.0}))
        self.clip = CLIPTextModel(CLIPTextConfig(**clip_config(len(self.clip_tokens)))) if with_clip else None

    def tokenize(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded ids: T5 to 32 with 0, CLIP to 77 with the end token."""
        t5 = self.t5_tokens(prompts, padding="max_length", max_length=T5_LENGTH, truncation=True, return_tensors="pt").input_ids
        rows = [ids[:CLIP_LENGTH] + [END] * (CLIP_LENGTH - len(ids)) for ids in self.clip_tokens(prompts).input_ids]
        return t5, torch.tensor(rows)

    def forward(self, t5_ids: torch.Tensor, clip_ids: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor | None]:
        tokens = self.t5(t5_ids)[0]
        return tokens, (self.clip(clip_ids).pooler_output if self.clip is not None else None)

    def write_configs(self, folder: Path) -> None:
        """Write the configs the host's own text encoder classes read."""
        (folder / "t5_config.json").write_text(json.dumps(t5_config(len(self.t5_tokens)), indent=1) + "\n")
        (folder / "clip_config.json").write_text(json.dumps(clip_config(len(self.clip_tokens)), indent=1) + "\n")
