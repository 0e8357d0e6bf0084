"""Architectures of the shipped models, in the words of diffusers' configs."""

from __future__ import annotations

T5_LENGTH = 32
"""Tokens of a prompt."""

FLUX = {
    "in_channels": 64,
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 128,
    "num_attention_heads": 2,
    "joint_attention_dim": 128,
    "pooled_projection_dim": 64,
    "guidance_embeds": False,
}
COGVIDEOX = {
    "num_attention_heads": 3,
    "attention_head_dim": 64,
    "in_channels": 32,
    "out_channels": 16,
    "time_embed_dim": 256,
    "text_embed_dim": 128,
    "num_layers": 6,
    "sample_width": 36,
    "sample_height": 24,
    "sample_frames": 17,
    "max_text_seq_length": T5_LENGTH,
    "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": False,
}
"""Sizes in latent pixels: trained at 288 x 192, 17 frames."""
