"""Train the mini motion stage: CogVideoX, its HOI control and T5 together, by v-prediction.

python tools/train_mini/video.py DATA OUT --minutes 60 [--resume]
"""

import sys
from pathlib import Path

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch import nn
from torch.nn.functional import mse_loss

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data import Pictures, fit, options, to_model
from text import TextEncoders, build_tokenizers

from pam_nodes.mini.codec import PatchAutoencoder3D
from pam_nodes.mini.configs import COGVIDEOX, T5_LENGTH
from pam_nodes.motion.control import PAPER_SLOTS, CogVideoXControlConfig, HOICogVideoXControl
from pam_nodes.motion.inject import controlled

HEAD_DIM, COPIES = COGVIDEOX["attention_head_dim"], 3
CONTROL = CogVideoXControlConfig(COGVIDEOX["num_attention_heads"] * HEAD_DIM, COPIES, HEAD_DIM, COGVIDEOX["time_embed_dim"], PAPER_SLOTS)
HELD_OUT = 16


def alphas_cumprod() -> torch.Tensor:
    """CogVideoX-5B's noise schedule: scaled-linear betas 0.00085..0.012, rescaled to zero terminal SNR."""
    bar = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0).sqrt()
    bar = (bar - bar[-1]) * bar[0] / (bar[0] - bar[-1])
    return (bar**2).float()


class Motion(nn.Module):
    """Everything that learns."""

    def __init__(self, folder: Path, latent_shape: tuple[int, int, int]):
        super().__init__()
        frames, height, width = latent_shape
        size = {"sample_width": width, "sample_height": height, "sample_frames": 4 * frames - 3}
        self.base = CogVideoXTransformer3DModel(**{**COGVIDEOX, **size})
        self.control = HOICogVideoXControl(CONTROL)
        self.control.hidden_linear.requires_grad_(False)
        self.text = TextEncoders(folder, with_clip=False)
        grid = (height // 2, width // 2)
        self.rotary = get_3d_rotary_pos_embed(HEAD_DIM, ((0, 0), grid), grid, frames, device="cpu")
        for name, module in self.named_modules():
            if name.endswith((".norm1.linear", ".norm2.linear", "norm_out.linear", "base.proj_out")) or ".combine_linears." in name:
                nn.init.zeros_(module.weight)
                nn.init.zeros_(module.bias)
        for linear in self.control.slot_linears:
            nn.init.normal_(linear.weight, std=0.04)

    def forward(self, x: torch.Tensor, t: torch.Tensor, slots: list[torch.Tensor], t5_ids: torch.Tensor) -> torch.Tensor:
        """v-prediction (B, T, 16, h, w) of (B, T, 32, h, w) noisy and first-frame latents; slots likewise, one a condition."""
        context, _ = self.text(t5_ids)
        tokens = [self.base.patch_embed(context, slot)[:, T5_LENGTH:] for slot in slots]

        def start(hidden: torch.Tensor) -> torch.Tensor:
            return self.control.released_start(hidden, tokens)

        with controlled(self.base.transformer_blocks, self.control, start):
            return self.base(x, context, t, image_rotary_emb=self.rotary, return_dict=False)[0]


class Latents:
    """Latents (N, 4, T, 16, h, w) of every clip's pictures, and token ids."""

    def __init__(self, data: Path, out: Path):
        codec = PatchAutoencoder3D()
        codec.load_state_dict(torch.load(out / "video_codec.pt", weights_only=True))
        clips = Pictures(data, "clips", HELD_OUT)
        with torch.no_grad():
            rows = []
            for clip in clips.frames:
                pixels = to_model(clip).permute(1, 2, 0, 3, 4)
                rows.append(codec.encode(pixels).transpose(1, 2) * codec.scaling_factor)
            self.z = torch.stack(rows)
        self.prompts = clips.prompts


def first_frame(z: torch.Tensor) -> torch.Tensor:
    """The first latent frame followed by zeros, as CogVideoX-I2V takes it."""
    return torch.cat([z[:, :1], torch.zeros_like(z[:, 1:])], dim=1)


def loss_on(model: Motion, data: Latents, ids, index: torch.Tensor, train: bool, bar: torch.Tensor, generator=None, t=None) -> torch.Tensor:
    """v-prediction loss; in training each condition is dropped with p = 0.2 (PAM section 4), prompt and first frame rarely."""
    count = len(index)
    z = data.z[index]
    x = z[:, 0]
    noise = torch.randn(x.shape, generator=generator)
    t = torch.randint(0, 1000, (count,)) if t is None else t
    a, s = bar[t].sqrt().view(-1, 1, 1, 1, 1), (1 - bar[t]).sqrt().view(-1, 1, 1, 1, 1)
    t5, image = ids[0][index].clone(), first_frame(x)
    slots = [torch.cat([z[:, k], first_frame(z[:, k])], dim=2) for k in (1, 2, 3)]
    if train:
        image[:, :1] += torch.randn_like(image[:, :1]) * torch.exp(torch.randn(count, 1, 1, 1, 1) * 0.5 - 3)
        image = image * (torch.rand(count, 1, 1, 1, 1) > 0.05)
        t5[torch.rand(count) < 0.1] = ids[1]
        slots = [slot * (torch.rand(count, 1, 1, 1, 1) > 0.2) for slot in slots]
    with torch.autocast("cpu", torch.bfloat16):
        v = model(torch.cat([a * x + s * noise, image], dim=2), t, slots, t5)
    return mse_loss(v.float(), a * noise - s * x)


@torch.no_grad()
def validation(model: Motion, data: Latents, ids, bar: torch.Tensor) -> float:
    """Loss on held-out clips at four fixed times with fixed noise."""
    index = torch.arange(HELD_OUT)
    steps = (150, 400, 650, 900)
    losses = [loss_on(model, data, ids, index, False, bar, torch.Generator().manual_seed(5), torch.full((HELD_OUT,), t)) for t in steps]
    return float(torch.stack(losses).mean())


def main() -> None:
    args = options(__doc__, batch=8, rate=1.2e-3)
    data = Latents(args.data, args.out)
    folder, weights = args.out / "video_text", args.out / "video.pt"
    if not args.resume:
        build_tokenizers(data.prompts, folder)
    model = Motion(folder, (data.z.shape[2], *data.z.shape[-2:]))
    model.text.write_configs(folder)
    if args.resume:
        model.load_state_dict(torch.load(weights, weights_only=True))
    ids, bar = (model.text.tokenize(data.prompts)[0], model.text.tokenize([""])[0][0]), alphas_cumprod()

    def loss() -> torch.Tensor:
        return loss_on(model, data, ids, torch.randint(HELD_OUT, len(data.z), (args.batch,)), True, bar)

    fit(model, args, weights, loss, lambda: validation(model, data, ids, bar))


if __name__ == "__main__":
    main()
