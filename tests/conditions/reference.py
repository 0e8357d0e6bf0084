"""The rules of pam_reference.md 1.3 and 1.4 written a second time, with OpenCV and the specification's own tables.

Shares no code with the pack. ``python -m tests.conditions.reference`` writes the golden pictures.
"""

import math
from pathlib import Path

import cv2
import numpy as np

GOLDEN = Path(__file__).parent / "golden"

# The bones' colours as the specification lists them after overflow: thumb, index, middle, ring, little.
DEXYCB = [
    (139, 53, 255), (174, 88, 255), (209, 123, 255), (244, 158, 255), (0, 56, 255), (35, 91, 255), (70, 126, 255), (105, 161, 255),
    (43, 140, 237), (78, 175, 255), (113, 210, 255), (148, 245, 255), (37, 168, 36), (72, 203, 71), (107, 238, 106), (142, 255, 141),
    (147, 147, 0), (182, 182, 35), (217, 217, 70), (252, 252, 105),
]  # fmt: skip
OAKINK2_LEFT = [
    (139, 53, 255), (174, 88, 34), (209, 123, 69), (244, 158, 104), (0, 56, 255), (35, 91, 34), (70, 126, 69), (105, 161, 104),
    (43, 140, 237), (78, 175, 16), (113, 210, 51), (148, 245, 86), (37, 168, 36), (72, 203, 71), (107, 238, 106), (142, 17, 141),
    (147, 147, 0), (182, 182, 35), (217, 217, 70), (252, 252, 105),
]  # fmt: skip
OAKINK2_RIGHT = [
    (255, 0, 0), (34, 35, 35), (69, 70, 70), (104, 105, 105), (255, 85, 85), (34, 120, 120), (69, 155, 155), (104, 190, 190),
    (255, 170, 170), (34, 205, 205), (69, 240, 240), (104, 19, 19), (255, 255, 255), (34, 34, 34), (69, 69, 69), (104, 104, 104),
    (200, 200, 200), (235, 235, 235), (14, 14, 14), (49, 49, 49),
]  # fmt: skip
LAST_JOINT = {"dexycb left": (70, 17, 145), "oakink2 left": (70, 17, 145), "oakink2 right": (150, 150, 150)}
BONE_COLORS = {"dexycb left": DEXYCB, "oakink2 left": OAKINK2_LEFT, "oakink2 right": OAKINK2_RIGHT}
YCB = [
    (180, 120, 120), (6, 230, 230), (80, 50, 50), (4, 200, 3), (120, 120, 80), (140, 140, 140), (204, 5, 255), (230, 230, 230),
    (4, 250, 7), (224, 5, 255), (235, 255, 7), (150, 5, 61), (120, 120, 70), (8, 255, 51), (255, 6, 82), (143, 255, 140),
    (204, 255, 4), (255, 51, 7), (204, 70, 3), (0, 102, 200), (61, 230, 250),
]  # fmt: skip
"""DexYCB's objects, ids 1 to 21."""


def joints(seed: int) -> np.ndarray:
    """(21, 2) int joints of an open hand in a 640 x 480 picture."""
    rng = np.random.default_rng(seed)
    wrist = rng.uniform([220, 300], [420, 420])
    points = [wrist]
    for finger in range(5):
        angle = math.radians(200 + 35 * finger) + rng.normal(0, 0.15)
        direction = np.array([math.cos(angle), math.sin(angle)])
        points += [wrist + direction * reach + rng.normal(0, 3, 2) for reach in (70, 115, 145, 170)]
    return np.rint(points).astype(int)


def hand_picture(points: np.ndarray, kind: str, turned: bool) -> np.ndarray:
    """Discs of radius 3, then bones as filled ellipses; thumb to little finger, or the other way round."""
    thumb, finger = (6, 3) if kind.startswith("dexycb") else (4, 2)
    bones = BONE_COLORS[kind]
    canvas = np.zeros((480, 640, 3), np.uint8)
    for joint, (x, y) in enumerate(points.tolist()):
        cv2.circle(canvas, (x, y), 3, LAST_JOINT[kind] if joint == 20 else bones[joint], -1)
    order = list(range(20))
    for bone in reversed(order) if turned else order:
        base, step = divmod(bone, 4)
        (x1, y1), (x2, y2) = points[0 if step == 0 else 4 * base + step].tolist(), points[4 * base + step + 1].tolist()
        length = ((x1 - x2) ** 2 + (y1 - y2) ** 2) ** 0.5
        if length <= 5 or length >= 150:
            continue
        middle, axes = (int((x1 + x2) / 2), int((y1 + y2) / 2)), (int(length / 2), thumb if base == 0 else finger)
        angle = int(math.degrees(math.atan2(y1 - y2, x1 - x2)))
        cv2.fillConvexPoly(canvas, cv2.ellipse2Poly(middle, axes, angle, 0, 360, 1), bones[bone])
    return canvas


CASES = {
    "dexycb": ("dexycb left", 1, False),
    "dexycb_turned": ("dexycb left", 2, True),
    "oakink2_left": ("oakink2 left", 3, False),
    "oakink2_right": ("oakink2 right", 4, True),
}


def pictures() -> dict[str, np.ndarray]:
    """The golden pictures by name."""
    made = {name: hand_picture(joints(seed), kind, turned) for name, (kind, seed, turned) in CASES.items()}
    made["palette"] = np.repeat(np.array([[(0, 0, 0), (92, 0, 255), *YCB]], np.uint8), 4, axis=0)
    return made


if __name__ == "__main__":
    for name, (_, seed, _) in CASES.items():
        np.savetxt(GOLDEN / f"{name}.txt", joints(seed), fmt="%d")
    for name, picture in pictures().items():
        cv2.imwrite(str(GOLDEN / f"{name}.png"), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
