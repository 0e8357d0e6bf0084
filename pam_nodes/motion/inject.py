"""Run a CogVideoX transformer, of either engine, with the control branch beside its blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from .control import HOICogVideoXControl


@contextmanager
def controlled(
    blocks: Sequence[nn.Module],
    control: HOICogVideoXControl,
    start: Callable[[Tensor], Tensor],
    strength: float = 1.0,
    attention=scaled_dot_product_attention,
) -> Iterator[None]:
    """Add the control residual after each of the first blocks while the context is open.

    The base model calls its blocks with keywords ``hidden_states, encoder_hidden_states, temb, image_rotary_emb`` and gets
    (video, text) back; this holds for diffusers' CogVideoXTransformer3DModel and for ComfyUI's. Copied block i reads the text
    stream after base block i (specs: released code, forward step 5).

    Args:
        blocks: the base model's blocks.
        control: the branch.
        start: maps the video tokens before block 0, (B, S, D), to the first control state.
        strength: factor of the residuals; the control state itself is not scaled.
    """
    state: dict[str, Tensor] = {}

    def before(module: nn.Module, args: tuple, kwargs: dict) -> None:
        state["c"] = start(kwargs["hidden_states"])

    def after(index: int):
        def hook(module: nn.Module, args: tuple, kwargs: dict, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            video, text = output
            state["c"] = control.step(index, state["c"], text, kwargs["temb"], kwargs.get("image_rotary_emb"), attention)
            return video + strength * state["c"], text

        return hook

    handles = [blocks[0].register_forward_pre_hook(before, with_kwargs=True)]
    handles += [blocks[i].register_forward_hook(after(i), with_kwargs=True) for i in range(control.config.num_blocks)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
