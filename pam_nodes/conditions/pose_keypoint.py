"""POSE_KEYPOINT, the socket of OpenPose-like packs, from and to hand key points (peers.md, E3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np

from .hand_keypoints import CONFIDENCE, OUTSIDE, VISIBLE, HandKeypoints

BODY, FACE, FEET, HAND = 18, 70, 6, 21
FIELDS = {"left": "hand_left_keypoints_2d", "right": "hand_right_keypoints_2d"}


def to_pose_keypoint(keypoints: HandKeypoints) -> list[dict]:
    """Frames of people: the k-th person has the k-th left and the k-th right hand.

    Coordinates are pixels; confidence is 1 for a visible joint, 0.5 for a hidden one, 0 (and x = y = 0) for one that is not in the picture.
    Body, face and feet are there, all zero, because readers expect them.
    """
    hands = {side: [i for i, own in enumerate(keypoints.sides) if own == side] for side in FIELDS}
    frames = []
    for t in range(len(keypoints)):
        people = []
        for pair in zip_longest(*hands.values()):
            person = {
                "pose_keypoints_2d": [0.0] * 3 * BODY,
                "face_keypoints_2d": [0.0] * 3 * FACE,
                "foot_keypoints_2d": [0.0] * 3 * FEET,
            }
            for side, i in zip(hands, pair, strict=True):
                person[FIELDS[side]] = [0.0] * 3 * HAND if i is None else _flat(keypoints, t, i)
            people.append(person)
        frames.append({"people": people, "canvas_width": keypoints.width, "canvas_height": keypoints.height})
    return frames


def _flat(keypoints: HandKeypoints, t: int, i: int) -> list[float]:
    confidence = np.vectorize(CONFIDENCE.get)(keypoints.visibility[t, i]).astype(float)
    triples = np.concatenate([keypoints.pixels[t, i], confidence[:, None]], axis=1)
    return np.where(confidence[:, None] > 0, triples, 0.0).ravel().tolist()


def from_pose_keypoint(frames: Sequence[Mapping] | Mapping, threshold: float = 0.1) -> HandKeypoints:
    """Hands of POSE_KEYPOINT frames.

    Args:
        frames: of another pack; pixels, or shares of the canvas if every value of a frame's hands is at most 1.
        threshold: joints of less confidence count as not found.

    Returns:
        Key points of as many left and right hands as the fullest frame has, without depth.
    """
    frames = [frames] if isinstance(frames, Mapping) else list(frames)
    if not frames:
        raise ValueError("Expected POSE_KEYPOINT frames, found none: connect a pose estimator that saw at least one picture.")
    width, height = _canvas(frames[0], 0)
    found = [{side: _hands(frame, t, field) for side, field in FIELDS.items()} for t, frame in enumerate(frames)]
    slots = [(side, k) for side in FIELDS for k in range(max(len(frame[side]) for frame in found))]
    pixels, visibility = np.zeros((len(frames), len(slots), HAND, 2)), np.full((len(frames), len(slots), HAND), OUTSIDE, np.uint8)
    for t, frame in enumerate(found):
        own_width, own_height = _canvas(frames[t], t)
        every = [hand for side in frame.values() for hand in side]
        shares = bool(every) and max(np.abs(hand[:, :2]).max() for hand in every) <= 1
        stretch = np.array([width, height]) / (1 if shares else np.array([own_width, own_height]))
        for i, (side, k) in enumerate(slots):
            if k < len(frame[side]):
                pixels[t, i] = frame[side][k][:, :2] * stretch
                visibility[t, i] = np.where(frame[side][k][:, 2] >= max(threshold, 1e-6), VISIBLE, OUTSIDE)
    return HandKeypoints(pixels, visibility, tuple(side for side, _ in slots), width, height)


def _canvas(frame: Mapping, t: int) -> tuple[int, int]:
    try:
        width, height = int(frame["canvas_width"]), int(frame["canvas_height"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"Expected canvas_width and canvas_height in the POSE_KEYPOINT, found none in frame {t}.") from None
    if not (0 < width <= 16384 and 0 < height <= 16384):
        raise ValueError(f"Expected a POSE_KEYPOINT canvas of 1 to 16384 pixels, found {width} x {height} in frame {t}.")
    return width, height


def _hands(frame: Mapping, t: int, field: str) -> list[np.ndarray]:
    """(21, 3) x, y, confidence of each person's hand that has one joint at least."""
    hands = []
    for person in frame.get("people") or []:
        values = person.get(field) or []
        if len(values) not in (0, 3 * HAND):
            raise ValueError(f"Expected 63 numbers (21 times x, y, confidence) in {field} of frame {t}, found {len(values)}.")
        if len(values):
            triples = np.array([v if isinstance(v, (int, float)) and math.isfinite(v) else 0.0 for v in values], float).reshape(HAND, 3)
            if (triples[:, 2] > 0).any():
                hands.append(triples)
    return hands
