"""The small models of the pack from scratch: base, control and text encoders learn together, for there is no large model to freeze."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from torch import Tensor, nn

from ..headless.text_encoders import load_clip, load_t5
from ..mini.configs import COGVIDEOX, FLUX, T5_LENGTH
from ..mini.files import MiniFiles

PAD, END, UNKNOWN, START = 0, 1, 2, 3
CLIP_LENGTH = 77
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.-'"
T5 = {
    "model_type": "t5",
    "d_model": FLUX["joint_attention_dim"],
    "d_kv": 32,
    "d_ff": 256,
    "num_layers": 2,
    "num_heads": 4,
    "dense_act_fn": "gelu_pytorch_tanh",
    "is_gated_act": True,
    "layer_norm_epsilon": 1e-6,
}
CLIP = {
    "hidden_size": FLUX["pooled_projection_dim"],
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": CLIP_LENGTH,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "eos_token_id": END,
    "bos_token_id": START,
    "pad_token_id": END,
    "projection_dim": FLUX["pooled_projection_dim"],
}
"""Text encoders, in the words of their own config files but for the size of the vocabulary."""
OUTPUTS = (".norm1.linear", ".norm1_context.linear", ".norm2.linear", "norm_out.linear", "_mod.lin", "proj_out")
"""Layers that start at zero, so that every block does nothing at first (Peebles and Xie 2023, adaLN-Zero)."""


class TextEncoders(nn.Module):
    """T5 for the tokens, and CLIP for the pooled vector where the stage wants one, on a vocabulary of the prompts' words.

    Args:
        folder: of the tokenizers, see ``write_tokenizers``.
        with_clip: also CLIP.
    """

    def __init__(self, folder: Path, with_clip: bool):
        super().__init__()
        from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

        self.folder, self.with_clip = folder, with_clip
        self.t5_tokens = PreTrainedTokenizerFast.from_pretrained(folder / "t5_tokenizer")
        self.clip_tokens = PreTrainedTokenizerFast.from_pretrained(folder / "clip_tokenizer") if with_clip else None
        words = len(self.t5_tokens)
        self.t5 = T5EncoderModel(T5Config(**T5, vocab_size=words, feed_forward_proj="gated-gelu", dropout_rate=0.0))
        self.clip = CLIPTextModel(CLIPTextConfig(**CLIP, vocab_size=words)) if with_clip else None

    def ids(self, prompt: str) -> dict[str, Tensor]:
        """``t5_ids`` padded to 32 with 0 and ``clip_ids`` padded to 77 with the end token."""
        settings = {"padding": "max_length", "max_length": T5_LENGTH, "truncation": True, "return_tensors": "pt"}
        found = {"t5_ids": self.t5_tokens(prompt, **settings).input_ids[0]}
        if self.with_clip:
            ids = self.clip_tokens(prompt).input_ids[:CLIP_LENGTH]
            found["clip_ids"] = torch.tensor(ids + [END] * (CLIP_LENGTH - len(ids)))
        return found

    def forward(self, t5_ids: Tensor, clip_ids: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """T5's tokens (B, 32, 128) and CLIP's pooled vector (B, 64) or None."""
        return self.t5(t5_ids)[0], self.clip(clip_ids).pooler_output if self.clip is not None else None

    def start_from(self, files: MiniFiles) -> None:
        """Take the weights of a folder whose tokenizers these are."""
        self.t5.load_state_dict(load_t5(files, torch.float32)[0].state_dict())
        if self.clip is not None:
            self.clip.load_state_dict(load_clip(files, torch.float32)[0].state_dict())

    def write_beside(self, folder: Path) -> None:
        """Put configs and tokenizers beside the weights, as ``mini.files.MiniFiles`` expects them."""
        for name, config in (("t5", T5), ("clip", CLIP)):
            if name == "t5" or self.with_clip:
                content = json.dumps({**config, "vocab_size": len(self.t5_tokens)}, indent=1) + "\n"
                (folder / f"{name}_config.json").write_text(content, encoding="utf-8")
                shutil.copytree(self.folder / f"{name}_tokenizer", folder / f"{name}_tokenizer", dirs_exist_ok=True)


def text_files(state: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Tensors of each encoder in a state of ``TextEncoders`` as the pack's files have them: tied embeddings once, CLIP's under
    ``text_model.``.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        encoder, key = name.split(".", 1)
        if not key.endswith(("position_ids", "encoder.embed_tokens.weight")):
            key = f"text_model.{key.removeprefix('text_model.')}" if encoder == "clip" else key
            found.setdefault(encoder, {})[key] = value
    return found


def write_tokenizers(prompts: list[str], folder: Path) -> None:
    """One unigram vocabulary of whole words and letters, framed as T5 and as CLIP want it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for prompt in prompts for word in prompt.lower().replace(",", " ,").replace(".", " .").split()})
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("<s>", 0.0), ("▁", -9.0)]
    pieces += [(f"▁{word}", -2.0) for word in words] + [(letter, -10.0) for letter in LETTERS]
    for name, template in (("t5", "$A </s>"), ("clip", "<s> $A </s>")):
        tokenizer = Tokenizer(models.Unigram(pieces, unk_id=UNKNOWN))
        spaced = [normalizers.Replace(mark, f" {mark}") for mark in ",."]
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *spaced])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("</s>", END), ("<s>", START)])
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", bos_token="<s>")
        fast.save_pretrained(folder / f"{name}_tokenizer")


def small_transformer(stage: str, size: tuple[int, int], length: int) -> nn.Module:
    """An untrained Flux or CogVideoX of the pack's size, for clips of (width, height) pixels and a length, that does nothing yet."""
    from diffusers import CogVideoXTransformer3DModel, FluxTransformer2DModel

    if stage == "appearance":
        model = FluxTransformer2DModel(**FLUX)
    else:
        fitted = {"sample_width": size[0] // 8, "sample_height": size[1] // 8, "sample_frames": length}
        model = CogVideoXTransformer3DModel(**{**COGVIDEOX, **fitted})
    for name, module in model.named_modules():
        inside = "single" in name and name.endswith("proj_out")
        if (name.endswith(OUTPUTS) and not inside) or ("single" in name and name.endswith(".norm.linear")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return model
