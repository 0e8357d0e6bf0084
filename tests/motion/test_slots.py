"""What the control is told of a window of frames, colours for previews, and clips that go on."""

import numpy as np
import pytest
import torch

from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.motion.continuation import joined, next_chunk
from pam_nodes.motion.slots import SlotLatents, fit_rgb


def slot() -> SlotLatents:
    clip = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(1, 16, 6, 2, 3)
    return SlotLatents(clip, torch.full((1, 16, 1, 2, 3), 9.0))


@pytest.mark.parametrize(("frames", "with_first"), [((0, 1, 2), True), ((3, 4, 5), False), ((2, 3, 4), True)])
def test_a_window_holds_its_own_frames(frames, with_first):
    """The map's frames in the first half of the channels; the first picture, where the model is shown one, beside the first of them."""
    window = slot().window(frames, with_first, torch.zeros(2, 32, 3, 2, 3))
    assert window.shape == (1, 32, 3, 2, 3)
    assert window[0, 5, :, 1, 2].tolist() == list(frames)
    assert window[0, 20, :, 0, 0].tolist() == [9.0 if with_first else 0.0, 0.0, 0.0]


def test_an_empty_slot_is_zero():
    assert not SlotLatents().window((0, 1), True, torch.zeros(1, 32, 2, 2, 2)).any()


def test_numbers_follow_the_model():
    window = slot().window((1,), True, torch.zeros(1, 32, 1, 2, 3, dtype=torch.bfloat16))
    assert window.dtype == torch.bfloat16


def test_preview_colours_are_found():
    """Latents that are a mixture of the colours give the colours back."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(1, 32, 48, 3, generator=generator)
    small = torch.nn.functional.interpolate(pictures.movedim(-1, 1), (4, 6), mode="area") * 2 - 1
    mixing = torch.randn(16, 3, generator=generator)
    latent = torch.einsum("kc,bchw->bkhw", mixing, small)[:, :, None]
    factors, bias = fit_rgb(latent, pictures)
    found = torch.einsum("kc,bkthw->bcthw", torch.tensor(factors), latent)[:, :, 0] + torch.tensor(bias).view(3, 1, 1)
    torch.testing.assert_close(found, small, atol=0.02, rtol=0)


def conditions(length: int) -> ConditionVideo:
    depth = np.broadcast_to(np.arange(length, dtype=np.uint8)[:, None, None, None], (length, 2, 3, 3))
    return ConditionVideo(fps=8.0, depth=depth)


@pytest.mark.parametrize(
    ("total", "made", "length", "group", "first", "count", "left"),
    [
        (49, 17, 17, 4, 16, 17, 16),
        (49, 33, 17, 8, 32, 17, 0),
        (45, 33, 17, 4, 32, 13, 0),
        (45, 33, 17, 8, 32, 9, 4),
        (50, 33, 17, 4, 32, 17, 1),
        (49, 1, 49, 8, 0, 49, 0),
    ],
)
def test_the_next_chunk_starts_at_the_last_frame(total, made, length, group, first, count, left):
    chunk, rest = next_chunk(conditions(total), made, length, group)
    assert chunk.shape[0] == count and chunk.depth[0, 0, 0, 0] == first and rest == left


@pytest.mark.parametrize(("total", "made", "words"), [(49, 49, "the clip is complete"), (51, 49, "complete"), (49, 0, "found none")])
def test_nothing_to_go_on_with_is_named(total, made, words):
    with pytest.raises(ValueError, match=words):
        next_chunk(conditions(total), made, 17)


def test_joined_clips_share_one_frame_and_lose_their_drift():
    generator = torch.Generator().manual_seed(0)
    clip = torch.rand(6, 8, 8, 3, generator=generator) * 0.5 + 0.2
    drifted = clip[3:] * 0.8 + 0.1
    torch.testing.assert_close(joined(clip[:4], drifted, 1.0), clip, atol=1e-5, rtol=0)
    torch.testing.assert_close(joined(clip[:4], drifted, 0.0)[4:], drifted[1:])
    with pytest.raises(ValueError, match="two clips of one size, found 8 x 8 and 4 x 8"):
        joined(clip, clip[:, :, :4])
