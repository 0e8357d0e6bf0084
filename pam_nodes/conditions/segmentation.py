"""Instance ids to PAM's segmentation colours."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .colormap import as_pixels
from .painted import Painted

Color = tuple[int, int, int]

ADE20K = np.frombuffer(
    bytes.fromhex(
        "787878b4787806e6e650323204c8037878508c8c8ccc05ffe6e6e604fa07e005ffebff0796053d78784608ff33ff06528fff8cccff04ff3307cc4603"
        "0066c83de6faff06330b66ffff0747ff09e00907e6dcdcdcff095c7009ff08ffd607ffe0ffb8060aff47ff290a07ffffe0ff086608ffff3d06ffc207"
        "ff7a0800ff14ff0829ff05990633ffeb0cffa0961400a3ff8c8c8cfa0a0f14ff001fff00ff1f00ffe00099ff000000ffff470000ebff00adff1f00ff"
        "0bc8c8ff520000fff5003dff00ff7000ff85ff0000ffa300ff6600c2ff00008fff33ff000052ff00ff2900ffad0a00ffadff0000ff99ff5c00ff00ff"
        "ff00f5ff0066ffad00ff0014ffb8b8001fff00ff3d0047ffff00cc00ffc200ff52000aff0070ff3300ff00c2ff007aff00ffa3ff990000ff0aff7000"
        "8fff005200ffa3ff00ffeb0008b8aa8500ff00ff5cb800ffff001f00b8ff00d6ffff00705cff0000e0ff70e0ff46b8a0a300ff9900ff47ff00ff00a3"
        "ffcc00ff008f00ffeb85ff00ff00ebf500ffff007afff5000abed4d6ff0000ccff1400ffffff000099ff0029ff00ffcc2900ff29ff00ad00ff00f5ff"
        "4700ff7a00ff00ffb8005cffb8ff000085ffffd60019c2c266ff005c00ff000000"
    ),
    np.uint8,
).reshape(151, 3)
"""(151, 3) uint8: the ADE20K / ControlNet colours, then black (pam_reference 1.3)."""

BACKGROUND = 150
HAND = {"dexycb": 149, "oakink2": 21}
"""Table index of a hand: (92, 0, 255) in DexYCB, (61, 230, 250) in OAKINK2."""


def instance_colors(num_hands: int, labels: Sequence[int], style: str = "dexycb") -> np.ndarray:
    """Colour of each instance id.

    Args:
        num_hands: ids 1..num_hands are hands, both sides alike.
        labels: YCB id (1..21) of each object, in the order of their instance ids.
        style: "dexycb": an object has the table entry of its YCB id. "oakink2": label k has entry 20 + k; that data set's own
            label list is not public, so an object gets k = YCB id + 1 (k = 1 is the hand).

    Returns:
        (1 + num_hands + len(labels), 3) uint8; row 0 is the background, black.
    """
    if style not in HAND:
        raise ValueError(f'Expected the style "dexycb" or "oakink2", found "{style}".')
    wrong = [label for label in labels if not 1 <= label <= 21]
    if wrong:
        raise ValueError(f"Expected object labels from 1 to 21 (YCB ids), found {wrong[0]}: set the label where the object is loaded.")
    shift = 0 if style == "dexycb" else 21
    return ADE20K[[BACKGROUND] + [HAND[style]] * num_hands + [shift + label for label in labels]]


def custom_colors(num_hands: int, num_objects: int, hand: Color, objects: Sequence[Color]) -> np.ndarray:
    """Colours somebody chose, by instance id.

    Args:
        num_hands, num_objects: how many the clip has.
        hand: 8-bit RGB of every hand.
        objects: 8-bit RGB of the objects, in turn; repeated when there are more objects than colours.

    Returns:
        (1 + num_hands + num_objects, 3) uint8; row 0 is the background, black.
    """
    if num_objects and not objects:
        raise ValueError("Expected at least one object colour, found none: write colours such as #08ff33.")
    chosen = [objects[i % len(objects)] for i in range(num_objects)]
    return np.array([(0, 0, 0), *[hand] * num_hands, *chosen], np.uint8)


def parse_colors(text: str) -> list[Color]:
    """8-bit RGB colours of a text such as "#08ff33, #5c00ff"."""
    words = text.replace(",", " ").split()
    wrong = [word for word in words if not re.fullmatch(r"#?[0-9a-fA-F]{6}", word)]
    if wrong:
        raise ValueError(f'Expected colours such as #08ff33, found "{wrong[0]}".')
    return [tuple(bytes.fromhex(word.lstrip("#"))) for word in words]


def colorize_instances(instance_ids: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """(..., H, W) uint8 instance ids to (..., H, W, 3) uint8 RGB with the rows of ``colors``, of which the first is black."""
    pictures = np.zeros((*instance_ids.shape, 3), np.uint8)
    rows = instance_ids.reshape(-1, instance_ids.shape[-2] * instance_ids.shape[-1])
    for ids, picture in zip(rows, pictures.reshape(*rows.shape, 3), strict=True):
        hit = ids > 0
        as_pixels(picture)[hit] = as_pixels(colors).take(ids[hit])
    return pictures


def instance_pictures(instance_ids: np.ndarray, colors: np.ndarray) -> Painted:
    """``colorize_instances`` of (T, H, W) ids a picture at a time, when it is looked at."""
    length, height, width = instance_ids.shape
    return Painted(lambda t: colorize_instances(instance_ids[t], colors), range(length), height, width)
