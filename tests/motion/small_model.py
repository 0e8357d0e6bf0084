"""A small CogVideoX with PAM's control in the released layout, its weights and inputs from numpy so that they are the same everywhere."""

import numpy as np
import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed

DIM, TEXT, COPIES, SLOTS = 128, 6, 2, 5
CONFIG = dict(
    num_attention_heads=2, attention_head_dim=64, in_channels=32, out_channels=16, time_embed_dim=32, text_embed_dim=24, num_layers=3,
    sample_width=8, sample_height=4, sample_frames=9, max_text_seq_length=TEXT, use_rotary_positional_embeddings=True,
    use_learned_positional_embeddings=True,
)  # fmt: skip
ROTARY = get_3d_rotary_pos_embed(64, ((0, 0), (2, 4)), (2, 4), 3, device="cpu")


def fill(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Give every tensor of a module small random numbers, in the order of their names; norms stay near one."""
    generator = np.random.default_rng(seed)
    for name, tensor in sorted(module.state_dict().items()):
        around = 1.0 if "norm" in name and name.endswith("weight") and tensor.ndim == 1 else 0.0
        values = generator.standard_normal(tensor.shape, dtype=np.float32) * 0.06 + around
        tensor.copy_(torch.from_numpy(values.astype(np.float32)))
    return module.eval()


def inputs(seed: int = 2) -> dict:
    """Noisy latents beside the first frame, prompts, steps, and the five slots: (B, T, C, h, w) as diffusers has them."""
    generator = np.random.default_rng(seed)

    def normal(*shape):
        return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))

    return {
        "x": normal(2, 3, 32, 4, 8),
        "text": normal(2, TEXT, 24),
        "t": torch.tensor([700, 20]),
        "slots": [normal(1, 3, 32, 4, 8) for _ in range(SLOTS)],
    }
