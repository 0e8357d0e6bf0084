"""What the HOI ControlNet costs beside Flux: counted at FLUX.1-dev's shapes, and measured in the host.

    <host python> benchmarks/appearance.py count
    <host python> benchmarks/appearance.py run [--hidden 3072] [--weights bf16|fp8] [--size 640x480] [--steps 8] [--device cuda|cpu]
``count`` needs no GPU and no memory: floating-point operations of a step and bytes of weights, on the meta device. ``run`` times steps of
the host's own Flux with random weights, without and with PAM's double net, alternating, and prints the peak of GPU memory; a smaller
``--hidden`` keeps all 57 blocks and makes it fit a CPU. Times are process time on a CPU, wall time of finished work on a GPU.
"""

import argparse
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]

from hostkit.host import find_host
from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl, pack

DEV = dict(in_channels=64, num_layers=19, num_single_layers=38, attention_head_dim=128, guidance_embeds=True)
BRANCHES = (("depth", "normals"), ("keypoints", "segmentation"))
T5_XXL = 4.762e9
"""Parameters of the T5-XXL encoder; CLIP-L and the VAE have 0.123 and 0.084 thousand million (specification diffusion.md 1.6)."""


def diffusers_flux(hidden: int):
    """FLUX.1-dev's layout, ``hidden`` wide, without weights."""
    from diffusers import FluxTransformer2DModel

    with torch.device("meta"):
        return FluxTransformer2DModel(num_attention_heads=hidden // 128, joint_attention_dim=4096, pooled_projection_dim=768, **DEV)


def control(hidden: int, branches=BRANCHES) -> HOIFluxControl:
    """PAM's double net, without weights."""
    with torch.device("meta"):
        return HOIFluxControl(FluxControlConfig(hidden, 2, 4096, 768, True, branches))


def parameters(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def flops(call) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        call()
    return counter.get_total_flops()


def count_size(width: int, height: int, text: int, hidden: int = 3072) -> tuple[int, int, int]:
    """Operations of one step of Flux, one step of the double net, and of encoding its hint once."""
    h, w = height // 8, width // 8
    flux, net = diffusers_flux(hidden), control(hidden)
    with torch.device("meta"):
        x, context, pooled, t = torch.empty(1, 16, h, w), torch.empty(1, text, 4096), torch.empty(1, 768), torch.empty(1)
        ids, hint, table = torch.empty(h * w // 4, 3), torch.empty(1, 12, height, width), torch.empty(text + h * w // 4, 64)
        tokens = net.encode_hint(hint)
        step = flops(
            lambda: flux(
                hidden_states=pack(x), encoder_hidden_states=context, pooled_projections=pooled, timestep=t, guidance=t, img_ids=ids,
                txt_ids=torch.empty(text, 3),
            )
        )  # fmt: skip
        beside = flops(lambda: net(x, tokens, t, context, pooled, t, table=(table, table)))
        return step, beside, flops(lambda: net.encode_hint(hint))


def count() -> None:
    """Print operations and bytes at FLUX.1-dev's shapes."""
    print("one step            Flux   control    share   hint, once")
    for width, height, text in ((640, 480, 512), (640, 480, 256), (720, 480, 512), (1024, 1024, 512)):
        step, beside, once = count_size(width, height, text)
        print(
            f"{width:4} x {height:4}, {text} {step / 1e12:6.2f} T {beside / 1e12:6.2f} T  {100 * beside / step:5.1f} % {once / 1e9:7.2f} G"
        )
    base, net = parameters(diffusers_flux(3072)), parameters(control(3072))
    print(f"\nparameters: Flux {base / 1e9:.3f} G, double net {net / 1e9:.3f} G")
    for name, flux_bytes, net_bytes in (
        ("all bf16", 2, 2),
        ("24 GB: Flux fp8, net bf16", 1, 2),
        ("12 GB: Flux GGUF Q4_K_S, net fp8", 0.5725, 1),
    ):
        resident = base * flux_bytes + net * net_bytes
        print(f"{name:34} Flux {base * flux_bytes / 1e9:5.1f} + net {net * net_bytes / 1e9:4.1f} = {resident / 1e9:5.1f} GB while sampling")
    print(f"before that, and then gone: T5 {2 * T5_XXL / 1e9:.1f} GB in bf16, {T5_XXL / 1e9:.1f} GB in fp8")


def random_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """bf16 numbers of a sane size; one drawn block repeated, because 12 thousand million draws take minutes."""
    drawn = (torch.randn(1 << 22, generator=torch.Generator().manual_seed(0)) * 0.02).bfloat16()
    weights = {}
    for name, shape in shapes.items():
        size = torch.Size(shape).numel()
        weights[name] = drawn.repeat(-(-size // len(drawn)))[:size].reshape(shape)
    return weights


def shapes_of(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def run(args: argparse.Namespace) -> None:
    """Time steps in the host, plain and guided."""
    host = find_host()
    sys.argv = ["benchmark", *(["--cpu"] if args.device == "cpu" else [])]
    sys.path.insert(0, str(host.comfyui))
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.sd
    import numpy as np

    from pam_nodes.conditions.video import ConditionVideo
    from pam_nodes.host.flux_control import apply_control, guidance_of, load_hoi_controlnet
    from pam_nodes.host.reference_sampling import reference_sampling

    width, height = (int(side) for side in args.size.split("x"))
    options = {"dtype": torch.float8_e4m3fn} if args.weights == "fp8" else {}
    model = comfy.sd.load_diffusion_model_state_dict(random_weights(shapes_of(diffusers_flux(args.hidden))), model_options=options)
    net = load_hoi_controlnet(random_weights(shapes_of(control(args.hidden))))
    pictures = {name: np.full((1, height, width, 3), 90, np.uint8) for name in ("depth", "keypoints", "segmentation")}
    plain = [[torch.randn(1, 512, 4096), {"pooled_output": torch.randn(1, 768)}]]
    guidance, _ = guidance_of(net, ConditionVideo(15.0, **pictures), "0", {}, (1.0, 1.0), None)
    guided = apply_control(plain, [], net, guidance, 1.0, (0.0, 1.0), None)[0]
    latent = {"samples": torch.zeros(1, 16, height // 8, width // 8)}
    clock = time.process_time if args.device == "cpu" else finished

    def seconds(positive: list) -> list[float]:
        marks: list[float] = []
        noise, guider, sampler, sigmas = reference_sampling(model, positive, latent, 42, args.steps, 4.0, "released", True)
        guider.sample(
            noise.generate_noise(latent), latent["samples"], sampler, sigmas, callback=lambda *_: marks.append(clock()), disable_pbar=True
        )
        return [later - sooner for sooner, later in pairwise(marks)]

    times: dict[str, list[float]] = {"plain": [], "guided": []}
    for _ in range(args.repeats + 1):
        for name, positive in (("plain", plain), ("guided", guided)):
            times[name].append(statistics.median(seconds(positive)))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    share = 100 * (medians["guided"] / medians["plain"] - 1)
    print(f"{args.size}, {args.hidden} wide, {args.weights}, {args.device}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"a step: plain {medians['plain']:.4f} s, guided {medians['guided']:.4f} s, {share:+.1f} %")
    if args.device != "cpu":
        print(f"{torch.cuda.get_device_name()}: peak {torch.cuda.max_memory_allocated() / 1e9:.2f} GB")


def finished() -> float:
    """Wall time once the GPU has finished all work."""
    torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["count", "run"])
    parser.add_argument("--hidden", type=int, default=3072)
    parser.add_argument("--weights", choices=["bf16", "fp8"], default="bf16")
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    args = parser.parse_args()
    count() if args.what == "count" else run(args)


if __name__ == "__main__":
    main()
