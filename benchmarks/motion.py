"""Seconds and memory of one guided CogVideoX pass: our control against the released class's rules, on the same weights in the same run.

Run from the repository root:
    python -m benchmarks.motion --size 5b --device cuda --dtype bf16            480 x 720 x 49, needs 24 GB
    python -m benchmarks.motion --size 5b --device cuda --dtype bf16 --compile  the same with compiled blocks
    python -m benchmarks.motion --size tiny                                     on a CPU, in a minute
    python -m benchmarks.motion --size long --repeat 2                          in five: few blocks over many tokens, as in 5b
One pass is both halves of guidance (batch 2). "released": every step embeds the five slots again, concatenates them five wide and runs
diffusers' own blocks (specs: pam_reference 3.3). "ours": the start is split, its constant part computed once a clip (timed apart).
Weights are random; only time and memory mean anything.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import Tensor, nn

from pam_nodes.motion.control import RELEASED_SLOTS, CogVideoXControlConfig, HOICogVideoXControl
from pam_nodes.motion.inject import controlled
from pam_nodes.motion.positions import rotary

SIZES = {
    "5b": {"heads": 48, "layers": 42, "copies": 12, "time": 512, "text": 4096, "words": 226, "grid": (13, 60, 90)},
    "long": {"heads": 12, "layers": 7, "copies": 2, "time": 512, "text": 1024, "words": 226, "grid": (4, 48, 72)},
    "tiny": {"heads": 4, "layers": 6, "copies": 3, "time": 256, "text": 128, "words": 32, "grid": (5, 16, 24)},
}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Setting:
    """Models and inputs of one size."""

    def __init__(self, size: str, device: str, dtype: torch.dtype):
        s = SIZES[size]
        self.frames, self.height, self.width = s["grid"]
        self.words, dim = s["words"], 64 * s["heads"]
        torch.set_default_dtype(dtype)
        with torch.device(device):
            self.base = CogVideoXTransformer3DModel(
                num_attention_heads=s["heads"], attention_head_dim=64, in_channels=32, out_channels=16, time_embed_dim=s["time"],
                text_embed_dim=s["text"], num_layers=s["layers"], sample_width=self.width, sample_height=self.height,
                sample_frames=4 * self.frames - 3, max_text_seq_length=s["words"], use_rotary_positional_embeddings=True,
                use_learned_positional_embeddings=True,
            ).to(dtype).eval()  # fmt: skip
            config = CogVideoXControlConfig(dim, s["copies"], 64, s["time"], RELEASED_SLOTS)
            self.control = HOICogVideoXControl(config).to(dtype).eval()
            self.copies = nn.ModuleList(CogVideoXBlock(dim, s["heads"], 64, s["time"], attention_bias=True) for _ in range(s["copies"]))
            self.x = torch.randn(2, self.frames, 32, self.height, self.width)
            self.text = torch.randn(2, s["words"], s["text"])
            self.slots = [torch.randn(1, self.frames, 32, self.height, self.width) for _ in RELEASED_SLOTS]
            self.t = torch.tensor([500, 500])
        self.rotary = rotary(64, self.frames, self.height // 2, self.width // 2, device=torch.device(device))
        for copy, block in zip(self.copies, self.control.transformer_blocks_copy, strict=True):
            copy.load_state_dict(block.state_dict(), assign=True)
        with torch.no_grad():
            self.control.hidden_linear.weight.copy_(sum(linear.weight for linear in self.control.slot_linears))
            self.start = torch.cat([linear.weight for linear in self.control.slot_linears], dim=1)

    def tokens(self, slot: Tensor, batch: int) -> Tensor:
        return self.base.patch_embed(self.text[:batch], slot.expand(batch, -1, -1, -1, -1))[:, self.words :]

    def released(self) -> Tensor:
        """One pass by the released class's rules."""
        base = self.base
        temb = base.time_embedding(base.time_proj(self.t).to(self.x.dtype))
        tokens = base.patch_embed(self.text, self.x)
        text, video = tokens[:, : self.words], tokens[:, self.words :]
        slots = torch.cat([self.tokens(slot, 2) for slot in self.slots], dim=2)
        state = nn.functional.linear(video.repeat(1, 1, len(self.slots)) + slots, self.start, self.control.slot_linears[0].bias)
        del slots
        for index, block in enumerate(base.transformer_blocks):
            video, text = block(hidden_states=video, encoder_hidden_states=text, temb=temb, image_rotary_emb=self.rotary)
            if index < len(self.copies):
                state = self.copies[index](hidden_states=state, encoder_hidden_states=text, temb=temb, image_rotary_emb=self.rotary)[0]
                state = self.control.combine_linears[index](state)
                video = video + state
        out = base.proj_out(base.norm_out(base.norm_final(video), temb=temb))
        out = out.reshape(2, self.frames, self.height // 2, self.width // 2, -1, 2, 2)
        return out.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)

    def constant(self) -> Tensor:
        """What ours computes once a clip."""
        return self.control.constant(self.tokens(slot, 1) for slot in self.slots)

    def ours(self, constant: Tensor) -> Tensor:
        """One pass of our control."""
        with controlled(self.base.transformer_blocks, self.control, lambda hidden: self.control.start(hidden, constant)):
            return self.base(self.x, self.text, self.t, image_rotary_emb=self.rotary, return_dict=False)[0]


def measured(work: Callable[[], Tensor], device: str, repeat: int) -> tuple[Tensor, float, float]:
    """Result, best seconds of several runs (processor time on a CPU) and peak GB on the device."""
    best = float("inf")
    result = work()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    for _ in range(repeat):
        begin = time.perf_counter() if device == "cuda" else time.process_time()
        result = work()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() if device == "cuda" else time.process_time()) - begin)
    return result, best, torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0


@torch.no_grad()
def main() -> None:
    """Print one line for each way and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="compile the blocks of ours; the first pass then takes minutes")
    options = parser.parse_args()
    torch.manual_seed(0)
    setting = Setting(options.size, options.device, DTYPES[options.dtype])
    theirs, slow, slow_memory = measured(setting.released, options.device, options.repeat)
    constant, once, _ = measured(setting.constant, options.device, 1)
    if options.compile:
        for blocks in (setting.base.transformer_blocks, setting.control.transformer_blocks_copy):
            for block in blocks:
                block.compile()
    mine, fast, fast_memory = measured(lambda: setting.ours(constant), options.device, options.repeat)
    error = float((mine - theirs).abs().max() / theirs.abs().max())
    print(f"released rules: {slow:.3f} s a pass, peak {slow_memory:.2f} GB")
    print(f"ours:           {fast:.3f} s a pass, peak {fast_memory:.2f} GB, and {once:.3f} s once a clip")
    print(f"{slow / fast:.3f} times as fast; largest difference {error:.1e} of the largest value ({options.dtype})")


if __name__ == "__main__":
    main()
