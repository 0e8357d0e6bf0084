"""The refiner: what it is told, how it is asked, and that the shipped one gives back what the small codec loses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.held_out import Held, held_out
from benchmarks.mini_figures import background_flicker, foreground_psnr
from pam_nodes.conditions.pack import first_frames
from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.headless.codec import decode, encode, to_pictures, to_pixels
from pam_nodes.headless.cogvideox_models import MiniCogVideoX
from pam_nodes.headless.compute import Compute, machine
from pam_nodes.headless.refiner import load_refiner
from pam_nodes.mini.refine import known, refine, shown
from pam_nodes.mini.refiner import KNOWN, FrameRefiner

CPU = machine(Compute("cpu", "fp32"))


@pytest.fixture(scope="module")
def net() -> FrameRefiner:
    """A small one of random weights."""
    torch.manual_seed(0)
    net = FrameRefiner((8, 8, 8)).eval()
    for parameter in net.parameters():
        parameter.data = torch.randn_like(parameter) * 0.2
    return net


@pytest.fixture(scope="module")
def clip() -> ConditionVideo:
    """Five frames of 26 x 18 with a hand (1) and an object (2)."""
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 3, (5, 18, 26)).astype(np.uint8)
    pictures = {name: rng.integers(0, 255, (5, 18, 26, 3), dtype=np.uint8) for name in ("depth", "segmentation", "keypoints")}
    return ConditionVideo(8.0, instance_ids=ids, **pictures)


FRAMES = torch.rand(5, 3, 18, 26, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_what_is_known(clip):
    """Colours in the order of the conditions, masks here and in the first frame, and whether that is given."""
    facts = known(clip, shown(clip)[0])
    assert facts.shape == (5, KNOWN, 18, 26)
    torch.testing.assert_close(facts[3, 3:6], torch.from_numpy(clip.segmentation[3]).movedim(-1, 0) / 127.5 - 1)
    hand, thing = (torch.from_numpy(clip.instance_ids == value).float() for value in (1, 2))
    assert torch.equal(facts[:, 9:11], torch.stack([hand, thing], dim=1)) and (facts[:, 13] == 1).all()
    assert torch.equal(facts[4, 11:13], torch.stack([hand[0], thing[0]]))
    assert not known(clip, None)[:, 11:].any()


def test_what_is_left_out_is_not_known(clip):
    """A condition that is absent is black; without segmentation the labels do not say where things are."""
    poorer = replace(clip, segmentation=None, keypoints=None)
    facts = known(poorer, shown(poorer)[0])
    assert (facts[:, 3:9] == -1).all() and not facts[:, 9:13].any() and facts[:, :3].std() > 0.1


def test_any_size_and_batches_do_not_matter(net, clip):
    """A size that is no multiple of 8; frames are refined each by itself, in their order, with progress."""
    seen = []
    made = refine(net, FRAMES, clip, FRAMES[:1], progress=lambda *at: seen.append(at))
    assert made.shape == FRAMES.shape and seen == [(4, 5), (5, 5)]
    last = ConditionVideo(8.0, **{name: getattr(clip, name)[[0, 4]] for name in ("depth", "segmentation", "keypoints", "instance_ids")})
    torch.testing.assert_close(refine(net, FRAMES[[0, 4]], last, FRAMES[:1])[1], made[4], atol=1e-4, rtol=1e-4)


def test_strength_mixes(net, clip):
    whole, half, none = (refine(net, FRAMES, clip, None, strength) for strength in (1.0, 0.5, 0.0))
    assert torch.equal(none, FRAMES) and (whole - FRAMES).abs().mean() > 1e-3
    torch.testing.assert_close(half, (whole + FRAMES) / 2, atol=1e-5, rtol=1e-5)


def test_conditions_of_one_frame_hold_for_all_pictures(net, clip):
    one = first_frames(clip, 1)
    made = refine(net, FRAMES, one, None)
    for index in range(5):
        torch.testing.assert_close(refine(net, FRAMES[[index]], one, None)[0], made[index], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("frames", [FRAMES[:4], FRAMES[..., :24]])
def test_other_conditions_are_refused(net, clip, frames):
    with pytest.raises(ValueError, match="Expected conditions of"):
        refine(net, frames, clip)


def test_a_new_refiner_changes_little():
    """It begins as a mixture with some of the reference, so that learning starts from the frames."""
    frame, reference = torch.rand(2, 1, 3, 16, 16).unbind()
    made = FrameRefiner((8, 8, 8))(frame, reference, torch.zeros(1, KNOWN, 16, 16))
    share = 1 / (1 + np.exp(2.0))
    torch.testing.assert_close(made, frame + share * (reference - frame))


def test_the_shipped_one_gives_back_what_the_codec_loses():
    """On a scene it never saw: hand and object come nearer to the truth, the background flickers less; with things left out too."""
    scene, models = held_out(Held((288, 192), 9), 3), MiniCogVideoX()
    codec, refiner = models.vae(CPU), load_refiner(CPU.device)
    with torch.no_grad():
        soft = decode(codec, encode(codec, to_pixels(scene.pictures).transpose(0, 1)[None]))[0].transpose(0, 1).clamp(-1, 1)
    before = to_pictures(soft)

    told, first = scene.conditions, to_pixels(scene.pictures[:1])
    asked = ((told, first), (told, None), (replace(told, keypoints=None), first))
    made, *poorer = (to_pictures(refine(refiner, soft, conditions, reference)) for conditions, reference in asked)
    assert foreground_psnr(made, scene, 1) > foreground_psnr(before, scene, 1) + 1
    assert background_flicker(made, scene) < background_flicker(before, scene)
    assert all(foreground_psnr(each, scene, 1) > foreground_psnr(before, scene, 1) for each in poorer)
