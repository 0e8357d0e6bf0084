"""What a step of the headless stages costs, and how much memory: random weights in the real shapes, through the code that people run.

    python benchmarks/headless.py flux --quantize fp8 --offload none            # FLUX.1-dev and PAM's double ControlNet, 720 x 480
    python benchmarks/headless.py cogvideox --offload group                     # CogVideoX-5b-I2V and PAM's control, 720 x 480 x 49
    python benchmarks/headless.py flux --tiny --device cpu                      # the same in small, to see that it runs
On CUDA: seconds of wall time between synchronisations and the peak of allocated memory. On the CPU: process time.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pam_nodes.appearance.checkpoint import RELEASED_BRANCHES
from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl
from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.headless.cogvideox import ClipSampler, ClipSampling
from pam_nodes.headless.cogvideox_models import NOISE_SCHEDULE
from pam_nodes.headless.compute import Compute, Machine, machine
from pam_nodes.headless.flux import FluxSampler, FluxSampling, Prompt
from pam_nodes.headless.words import DTYPES, OFFLOAD, QUANTIZE
from pam_nodes.motion.control import RELEASED_SLOTS, CogVideoXControlConfig, HOICogVideoXControl

FLUX = {"guidance_embeds": True}
FLUX_TINY = {"num_layers": 2, "num_single_layers": 2, "num_attention_heads": 2, "joint_attention_dim": 64, "pooled_projection_dim": 32}
IMAGE_VAE = {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False, "scaling_factor": 0.3611, "shift_factor": 0.1159}
STAGES = 4
"""Of the image VAE, each but the last of which halves the size."""
COGVIDEOX = {"num_attention_heads": 48, "in_channels": 32, "num_layers": 42, "sample_width": 90, "sample_height": 60}
COGVIDEOX_TINY = {
    "num_attention_heads": 2,
    "num_layers": 4,
    "text_embed_dim": 64,
    "time_embed_dim": 64,
    "sample_width": 12,
    "sample_height": 6,
    "sample_frames": 9,
}
POSITIONS = {"sample_frames": 49, "use_rotary_positional_embeddings": True, "use_learned_positional_embeddings": True}


def filled(build, dtype: torch.dtype) -> nn.Module:
    """A network of small random weights, without ever holding them in float32."""
    with torch.device("meta"):
        net = nn.Module.to(build(), dtype).to_empty(device="cpu")
    for tensor in (*net.parameters(), *net.buffers()):
        tensor.data.normal_(0, 0.02)
    return net.eval()


def flux(place: Machine, tiny: bool) -> tuple:
    """Sampler, hint, prompt and size of the appearance stage."""
    from diffusers import AutoencoderKL, FluxTransformer2DModel

    config = {**FLUX, **(FLUX_TINY if tiny else {})}
    widths = (8, 8, 8, 8) if tiny else (128, 256, 512, 512)
    vae = {**IMAGE_VAE, "block_out_channels": widths, "layers_per_block": 1 if tiny else 2, "norm_num_groups": 4 if tiny else 32}
    vae |= {"down_block_types": ("DownEncoderBlock2D",) * STAGES, "up_block_types": ("UpDecoderBlock2D",) * STAGES}
    base = filled(lambda: FluxTransformer2DModel(**config), place.dtype)
    width, text, pooled = base.inner_dim, base.config.joint_attention_dim, base.config.pooled_projection_dim
    control = filled(lambda: HOIFluxControl(FluxControlConfig(width, 2, text, pooled, True, RELEASED_BRANCHES)), place.dtype)
    sampler = FluxSampler(place, base, control, filled(lambda: AutoencoderKL(**vae), place.dtype))
    size = (96, 48) if tiny else (720, 480)
    return sampler, torch.rand(1, 12, size[1], size[0]), Prompt(torch.randn(1, 512, text), torch.randn(1, pooled)), size


def cogvideox(place: Machine, tiny: bool) -> tuple:
    """Sampler, conditions, picture and prompt of the motion stage."""
    from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel

    config = {**COGVIDEOX, **POSITIONS, **(COGVIDEOX_TINY if tiny else {})}
    vae = {"block_out_channels": (8, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 4} if tiny else {}
    base = filled(lambda: CogVideoXTransformer3DModel(**config), place.dtype)
    width, times = 64 * base.config.num_attention_heads, base.config.time_embed_dim
    control = CogVideoXControlConfig(width, 2 if tiny else 12, 64, times, RELEASED_SLOTS)
    codec = filled(lambda: AutoencoderKLCogVideoX(latent_channels=16, scaling_factor=0.7, **vae), place.dtype)
    codec.enable_tiling()
    codec.enable_slicing()
    sampler = ClipSampler(place, base, filled(lambda: HOICogVideoXControl(control), place.dtype), codec, NOISE_SCHEDULE)
    shape = (config["sample_frames"], 8 * config["sample_height"], 8 * config["sample_width"], 3)
    pictures = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    clip = ConditionVideo(15.0, depth=pictures, segmentation=pictures, keypoints=pictures)
    return sampler, clip, pictures[0], torch.randn(1, 226, base.config.text_embed_dim)


class Clock:
    """Seconds since the last look."""

    def __init__(self, device: torch.device):
        self.cuda = device.type == "cuda"
        self.last = self._now()

    def lap(self) -> float:
        now = self._now()
        past, self.last = now - self.last, now
        return past

    def _now(self) -> float:
        if self.cuda:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("flux", "cogvideox"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", choices=DTYPES, default="auto")
    parser.add_argument("--quantize", choices=QUANTIZE, default="none")
    parser.add_argument("--offload", choices=OFFLOAD, default="none")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    place = machine(Compute(args.device, args.dtype, args.quantize, args.offload))
    print(f"{args.stage}, {place.device}, {place.dtype}, quantize {place.quantize}, offload {place.offload}, {args.steps} steps")
    for strength in (1.0, 0.0):
        measure(args, place, strength)


def measure(args: argparse.Namespace, place: Machine, strength: float) -> None:
    """One run, with the control or (strength 0) without it."""
    made = (flux if args.stage == "flux" else cogvideox)(place, args.tiny)
    if place.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    clock, laps = Clock(place.device), []

    def progress(done: int, total: int) -> None:
        laps.append(clock.lap())

    sampler, *rest = made
    if args.stage == "flux":
        hint, prompt, size = rest
        encoded = sampler.encode_hint(hint)
        begin = clock.lap()
        sampler.paint(encoded, prompt, None, FluxSampling(steps=args.steps, strength=strength), 42, size, progress)
    else:
        clip, picture, prompt = rest
        slots, start = sampler.encode_slots(clip), sampler.encode_start(picture)
        begin = clock.lap()
        sampler.sample(slots, start, prompt, prompt, ClipSampling(steps=args.steps, strength=strength), 42, progress)
    line = f"{'with' if strength else 'without'} control: encode {begin:.2f} s, first step {laps[0]:.3f} s, "
    line += f"later ones {np.mean(laps[1:]):.3f} s, decode {clock.lap():.2f} s"
    if place.device.type == "cuda":
        line += f", peak {torch.cuda.max_memory_allocated() / 1e9:.1f} GB"
    print(line)


if __name__ == "__main__":
    main()
