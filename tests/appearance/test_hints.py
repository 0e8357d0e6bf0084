"""From the bundle to hint channels, and whether the look is the trained one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pam_nodes.appearance.flux_control import FluxControlConfig
from pam_nodes.appearance.hints import hint_frames, parse_frames
from pam_nodes.appearance.looks import look_warnings
from pam_nodes.conditions.colormap import INFERNO
from pam_nodes.conditions.pack import resized
from pam_nodes.conditions.segmentation import ADE20K, HAND
from pam_nodes.conditions.video import ConditionVideo

CONFIG = FluxControlConfig(128, 2, 8, 8, False, (("depth", "normals"), ("keypoints", "segmentation")), style="dexycb")


def clip(value: int) -> np.ndarray:
    return np.full((3, 4, 6, 3), value, np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None, None]


def bundle(**changes) -> ConditionVideo:
    pictures = {"depth": clip(10), "segmentation": clip(20), "keypoints": clip(30), "normals": clip(40)}
    return ConditionVideo(15.0, **{**pictures, **changes})


def channels(video: ConditionVideo, frame: int = 0, strengths: dict[str, float] | None = None) -> torch.Tensor:
    """Hint of one frame at its own size."""
    _, height, width = video.shape
    return hint_frames(video, CONFIG, (frame,), strengths).at(width, height)


def levels(hint: torch.Tensor) -> list[list[float]]:
    """8-bit value of each condition in each frame."""
    return (hint[:, ::3, 0, 0] * 255).round(decimals=3).tolist()


def test_order_and_absent_picture():
    hint = channels(bundle(normals=None), -1)
    assert hint.shape == (1, 12, 4, 6)
    assert levels(hint) == [[12, 0, 32, 22]]


def test_normals_stay_absent_unless_asked_for():
    assert levels(channels(bundle())) == [[10, 0, 30, 20]]
    assert levels(channels(bundle(), strengths={"normals": 1.0})) == [[10, 40, 30, 20]]


def test_strength_mixes_with_the_absent_picture():
    assert levels(channels(bundle(), strengths={"depth": 0.5, "segmentation": 0.0})) == [[5, 0, 30, 0]]


def test_several_frames_make_a_batch():
    hint = hint_frames(bundle(), CONFIG, (2, 0)).at(6, 4)
    assert levels(hint) == [[12, 0, 32, 22], [10, 0, 30, 20]]


def test_resized_as_pam_does():
    """Each modality with its own filter, and depth cut out again: what ``resized`` gives is what the net sees."""
    generator = np.random.default_rng(0)
    noisy = {name: generator.integers(0, 256, (3, 40, 60, 3), np.uint8) for name in ("depth", "segmentation", "keypoints")}
    noisy["segmentation"][:, :, :30] = 0
    video = ConditionVideo(15.0, **noisy)
    hint = hint_frames(video, CONFIG, (1,)).at(96, 64)
    expected = resized(video, 96, 64)
    for first, name in ((0, "depth"), (6, "keypoints"), (9, "segmentation")):
        np.testing.assert_array_equal(np.rint(hint[0, first : first + 3].movedim(0, -1).numpy() * 255), getattr(expected, name)[1])


@pytest.mark.parametrize(
    ("frame", "strengths", "changes", "sentence"),
    [
        (3, {}, {}, "between 0 and 2, found 3"),
        (0, {"depth": 1.5}, {}, "between 0 and 1 for depth, found 1.5"),
        (0, {"depth": float("nan")}, {}, "between 0 and 1 for depth, found nan"),
        (0, {"keypoints": 0, "segmentation": 0, "depth": 0}, {}, "found only depth, normals, keypoints, segmentation with strength 0"),
        (0, {}, dict(depth=None, segmentation=None, keypoints=None), "at least one of .*found only normals with strength 0"),
        (0, {}, dict(depth=None, segmentation=None, keypoints=None, normals=None, tracking=clip(1)), "found none in the conditions"),
    ],
)
def test_bad_input(frame, strengths, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        channels(bundle(**changes), frame, strengths)


def test_picture_of_another_shape():
    with pytest.raises(ValueError, match=r"shaped like the picture, 96 x 96, found 6 x 4: .*Fit HOI Conditions"):
        hint_frames(bundle(), CONFIG).at(96, 96)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("0", [0]), ("-1", [-1]), ("0, 8 16", [0, 8, 16]), ("0:49:8", list(range(0, 49, 8))), ("-2:", [47, 48]), ("::40", [0, 40])],
)
def test_frame_lists(text, chosen):
    assert parse_frames(text, 49) == chosen


@pytest.mark.parametrize("text", ["", "first", "1.5", "-", "3:1", "0:9:0", "1:2:3:4", "9" * 30])
def test_bad_frame_lists(text):
    with pytest.raises(ValueError, match="Expected"):
        parse_frames(text, 49)


def colored(style: str) -> ConditionVideo:
    """A hand in a data set's colour, depth in inferno."""
    segmentation, depth = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)
    segmentation[:, 2:5, 2:5], depth[:, 2:5, 2:5] = ADE20K[HAND[style]], INFERNO[180]
    return ConditionVideo(15.0, style=style, segmentation=segmentation, depth=depth)


def test_look_of_the_trained_data_is_fine():
    assert look_warnings(hint_frames(colored("dexycb"), CONFIG), CONFIG) == []
    assert look_warnings(hint_frames(colored("oakink2"), CONFIG), replace(CONFIG, style="")) == []


def test_colours_of_another_data_set():
    (sentence,) = look_warnings(hint_frames(colored("oakink2"), CONFIG), CONFIG)
    assert "colours of OAKINK2" in sentence and "style of Render HOI Conditions to dexycb" in sentence
    (sentence,) = look_warnings(hint_frames(replace(colored("oakink2"), style="dexycb"), CONFIG), CONFIG)
    assert "No hand in the segmentation has DexYCB's colour" in sentence


def test_grey_depth():
    video = colored("dexycb")
    grey = replace(video, depth=np.where(video.depth.any(axis=3, keepdims=True), np.uint8(180), np.uint8(0)).repeat(3, axis=3))
    (sentence,) = look_warnings(hint_frames(grey, CONFIG), CONFIG)
    assert "Depth is grey" in sentence
    assert look_warnings(hint_frames(grey, CONFIG, strengths={"depth": 0.0}), CONFIG) == []
