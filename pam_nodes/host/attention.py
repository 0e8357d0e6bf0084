"""The host's chosen attention kernel, in the form the control networks call it."""

from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(B, heads, S, head_dim) in and out."""
    return optimized_attention(q, k, v, heads=q.shape[1], skip_reshape=True, skip_output_reshape=True)
