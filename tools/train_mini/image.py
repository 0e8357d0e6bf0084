"""Train the mini appearance stage: Flux, its HOI ControlNet, T5 and CLIP together, by flow matching.

python tools/train_mini/image.py DATA OUT --minutes 60 [--resume]
"""

import sys
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from torch import nn
from torch.nn.functional import mse_loss

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data import Pictures, fit, options, to_model
from text import TextEncoders, build_tokenizers

from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl, pack
from pam_nodes.mini.codec import PatchAutoencoder
from pam_nodes.mini.configs import FLUX

CONTROL = FluxControlConfig(256, 2, 128, 64, False, (("depth", "segmentation", "keypoints"),), "latent", "first", "dexycb")
HELD_OUT = 64


class Appearance(nn.Module):
    """Everything that learns."""

    def __init__(self, folder: Path):
        super().__init__()
        self.flux = FluxTransformer2DModel(**FLUX)
        self.control = HOIFluxControl(CONTROL)
        self.text = TextEncoders(folder, with_clip=True)
        for name, module in self.named_modules():
            if name.endswith((".norm1.linear", ".norm1_context.linear", ".norm.linear", "norm_out.linear", "_mod.lin", "proj_out")) and (
                "single" not in name or "proj_out" not in name
            ):
                nn.init.zeros_(module.weight)
                nn.init.zeros_(module.bias)
        for linear in self.control.controlnet1.controlnet_blocks:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: torch.Tensor, t: torch.Tensor, hint: torch.Tensor, t5_ids: torch.Tensor, clip_ids: torch.Tensor) -> torch.Tensor:
        """Velocity (B, tokens, 64) of latents (B, 16, h, w) at times (B,)."""
        context, pooled = self.text(t5_ids, clip_ids)
        residuals = self.control(x, self.control.encode_hint(hint), t, context, pooled)
        rows, columns = x.shape[2] // 2, x.shape[3] // 2
        ids = torch.zeros(rows, columns, 3)
        ids[..., 1], ids[..., 2] = torch.arange(rows)[:, None], torch.arange(columns)
        return self.flux(
            hidden_states=pack(x),
            encoder_hidden_states=context,
            pooled_projections=pooled,
            timestep=t,
            img_ids=ids.reshape(-1, 3),
            txt_ids=torch.zeros(context.shape[1], 3),
            controlnet_block_samples=residuals,
            return_dict=False,
        )[0]


class Latents:
    """Latents of every still, of the black picture that stands for an absent condition, and token ids."""

    def __init__(self, data: Path, out: Path, text: TextEncoders):
        codec = PatchAutoencoder()
        codec.load_state_dict(torch.load(out / "image_codec.pt", weights_only=True))
        stills = Pictures(data, "stills", HELD_OUT)
        with torch.no_grad():
            rows = [codec.frame.encode(to_model(chunk).flatten(0, 1)) for chunk in _chunks(stills.frames, 64)]
            self.z = torch.cat(rows).unflatten(0, (len(stills), 4))
            self.black = codec.frame.encode(-torch.ones(1, 3, *stills.frames.shape[-3:-1]))[0]
        self.t5, self.clip = text.tokenize(stills.prompts)
        self.empty = text.tokenize([""])


def _chunks(array, size: int):
    return (array[i : i + size] for i in range(0, len(array), size))


def loss_on(model: Appearance, data: Latents, index: torch.Tensor, train: bool, generator=None, t=None) -> torch.Tensor:
    """Flow-matching loss on the picked stills; in training each condition is dropped with p = 0.15, the prompt with 0.1."""
    count = len(index)
    x = data.z[index, 0]
    noise = torch.randn(x.shape, generator=generator)
    if t is None:
        t = torch.sigmoid(torch.randn(count) + 0.3)
    hint, t5, clip = data.z[index, 1:].clone(), data.t5[index].clone(), data.clip[index].clone()
    if train:
        hint[torch.rand(count, 3) < 0.15] = data.black
        dropped = torch.rand(count) < 0.1
        t5[dropped], clip[dropped] = data.empty[0], data.empty[1]
    mixed = (1 - t[:, None, None, None]) * x + t[:, None, None, None] * noise
    with torch.autocast("cpu", torch.bfloat16):
        velocity = model(mixed, t, hint.flatten(1, 2), t5, clip)
    return mse_loss(velocity.float(), pack(noise - x))


@torch.no_grad()
def validation(model: Appearance, data: Latents) -> float:
    """Loss on held-out stills at four fixed times with fixed noise."""
    index = torch.arange(HELD_OUT)
    times = (0.15, 0.4, 0.65, 0.9)
    losses = [loss_on(model, data, index, False, torch.Generator().manual_seed(5), torch.full((HELD_OUT,), t)) for t in times]
    return float(torch.stack(losses).mean())


def main() -> None:
    args = options(__doc__, batch=32, rate=1e-3)
    folder, weights = args.out / "image_text", args.out / "image.pt"
    if not args.resume:
        build_tokenizers(Pictures(args.data, "stills", HELD_OUT).prompts, folder)
    model = Appearance(folder)
    model.text.write_configs(folder)
    if args.resume:
        model.load_state_dict(torch.load(weights, weights_only=True))
    data = Latents(args.data, args.out, model.text)

    def loss() -> torch.Tensor:
        return loss_on(model, data, torch.randint(HELD_OUT, len(data.z), (args.batch,)), True)

    fit(model, args, weights, loss, lambda: validation(model, data))


if __name__ == "__main__":
    main()
