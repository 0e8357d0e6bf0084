"""Time of the motion presets apart from everything around them, and how near their clips come to *quality*, on the shipped small model.

    <host python> -m benchmarks.presets [--scenes 3] [--reuse 0.2 0.7 1.0] [--cfg 1.0]
Scenes are random rollouts with seeds that training never saw, 17 frames at 288 x 192; the first frame is the shaded picture. Each is
sampled with every preset and with each reuse threshold in place of *balanced*'s, from the same noise. Processor time.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from hostkit.host import find_host

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--scenes", type=int, default=3)
parser.add_argument("--reuse", type=float, nargs="*", default=(), help="thresholds of the step cache to try beside the presets")
parser.add_argument("--cfg", type=float, default=1.0)
OPTIONS = parser.parse_args()
sys.argv = ["presets", "--cpu"]  # the host reads its own options from here
sys.path.insert(0, str(find_host().comfyui))

import comfy.options

comfy.options.enable_args_parsing()

import torch
from comfy.patcher_extension import WrappersMP

from pam_nodes.conditions.film import film
from pam_nodes.dataset.looks import CLIP_VERBS, random_look
from pam_nodes.dataset.scenes import SceneOptions, random_camera, random_motion
from pam_nodes.host.cogvideox_control import Guidance, apply_hoi_control
from pam_nodes.host.cogvideox_sampling import sampling
from pam_nodes.host.cogvideox_start import start_from_image
from pam_nodes.host.mini import load_motion
from pam_nodes.motion.schedule import PRESETS

QUALITY, BALANCED = "quality (as released)", "balanced (step cache)"
SIZE, LENGTH, FPS = (288, 192), 17, 8.0


def scenes(count: int):
    """(conditions, first frame, prompt) of random motions that hold their object."""
    rng = np.random.default_rng(777)
    while count:
        motion = random_motion(SceneOptions(length=LENGTH, fps=FPS), rng)
        if motion.report.success:
            look, words = random_look(rng)
            conditions, pictures = film(motion, random_camera(motion, *SIZE, rng), look=look)
            name = motion.objects[0].mesh.name
            yield conditions, torch.from_numpy(pictures[:1]).float() / 255, words.prompt(name, CLIP_VERBS[0])
            count -= 1


def texts(clip, words: str) -> list:
    return clip.encode_from_tokens_scheduled(clip.tokenize(words))


class Counter:
    """A wrapper that counts how often the model is really computed."""

    def __init__(self):
        self.calls = 0

    def __call__(self, executor, *args, **kwargs):
        self.calls += 1
        return executor(*args, **kwargs)


def sampled(guided, start: tuple, preset: str, cfg: float) -> tuple[torch.Tensor, int, float]:
    """Latents, passes of the model and seconds of one clip."""
    positive, negative, latent, _ = start
    guider, sampler, sigmas = sampling(guided.clone(), positive, negative, preset, 0, cfg, "preset", 1.0)
    counter = Counter()
    guider.model_patcher.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "count", counter)
    noise = torch.randn(latent["samples"].shape, generator=torch.Generator().manual_seed(1))
    begin = time.process_time()
    result = guider.sample(noise, latent["samples"], sampler, sigmas, disable_pbar=True, seed=1)
    return result, counter.calls, time.process_time() - begin


def main() -> None:
    """Print a line for each preset: means over the scenes."""
    ways = {name: name for name in PRESETS}
    for threshold in OPTIONS.reuse:
        PRESETS[f"cache {threshold:g}"] = replace(PRESETS[BALANCED], reuse=threshold)
        ways[f"cache {threshold:g}"] = f"cache {threshold:g}"
    model, clip, vae, patch, _ = load_motion()
    rows: dict[str, list[tuple[int, float, float, float]]] = {}
    for conditions, first, prompt in scenes(OPTIONS.scenes):
        guided = apply_hoi_control(model, patch, vae, conditions, Guidance(), lambda *_: None)
        start = start_from_image(texts(clip, prompt), texts(clip, ""), vae, first, *SIZE, LENGTH)
        best = None
        for name in ways:
            latents, calls, seconds = sampled(guided, start, name, OPTIONS.cfg)
            begin = time.process_time()
            frames = vae.decode(latents)
            decode = time.process_time() - begin
            best = frames if best is None else best
            error = float(((frames - best) ** 2).mean())
            rows.setdefault(name, []).append((calls, seconds, decode, -10 * np.log10(error) if error else np.inf))
    whole = np.mean([row[1] for row in rows[QUALITY]])
    sys.stdout.write(f"{'':24}{'passes':>8}{'sampling s':>12}{'faster':>8}{'decode s':>10}{'PSNR':>8}{'worst':>8}\n")
    for name, of in rows.items():
        passes, seconds, decode, psnr = np.mean(of, axis=0)
        worst = min(row[3] for row in of)
        sys.stdout.write(f"{name:24}{passes:8.1f}{seconds:12.2f}{whole / seconds:8.2f}{decode:10.2f}{psnr:8.1f}{worst:8.1f}\n")


if __name__ == "__main__":
    with torch.no_grad():
        main()
