"""Wordings of hand-object pictures and clips: PAM's own, those of the small models, and photographs with variety."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FIELDS = ("skin", "action", "color", "object", "scene", "light", "camera")
"""Named lists that a person may replace one by one."""


@dataclass(frozen=True)
class Preset:
    """A wording.

    Attributes:
        template: text with wildcards.
        lists: choices of the names in it.
        negative: negative prompt.
        closed: the model knows only the words of this preset.
    """

    template: str
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    negative: str = ""
    closed: bool = False


CLIP_NEGATIVE = (
    "The video is not of a high quality, it has a low resolution. Watermark present in each frame. The background is solid. "
    "Strange body and strange trajectory. Distortion."
)
"""PAM's, for CogVideoX (pam_reference.md, 3.6)."""
COLORS = ("red", "green", "blue", "yellow", "orange", "purple", "white", "black")
MINI = {
    "skin": ("pale skin", "light skin", "tan skin", "brown skin", "dark skin"),
    "action": ("reaching for", "grasping", "lifting"),
    "color": COLORS,
    "object": ("mug", "bottle", "can", "box", "hammer", "bowl", "ball"),
    "scene": tuple(f"on a {color} table" for color in ("white", "grey", "brown", "black", "green", "blue")),
    "light": ("bright light", "soft light", "dim light"),
}
"""The words that the small models were trained with (dataset.looks)."""
PHOTO = {
    "skin": ("pale skin", "fair skin", "light skin", "olive skin", "tan skin", "brown skin", "dark brown skin", "freckled skin"),
    "action": ("reaching for", "about to grasp", "taking hold of", "grasping"),
    "color": (*COLORS, "grey", "pink", "turquoise", "cream-coloured"),
    "object": ("object",),
    "scene": (
        "on a wooden kitchen table, a bright kitchen behind it",
        "on a white laboratory bench with instruments in the background",
        "on a cluttered office desk with books and a monitor behind it",
        "on a marble counter, tiles behind it",
        "on a workbench, tools hanging on the wall behind it",
        "on a café table by a window, a street outside",
        "on a garden table, blurred green leaves behind it",
        "on a checked picnic blanket in the grass",
        "on a low table in a living room, a sofa and shelves behind it",
        "on a steel table in a workshop",
        "on a concrete ledge, a city in the evening behind it",
        "on a plain grey studio table",
    ),
    "light": (
        "soft daylight from a window",
        "warm lamp light",
        "bright overhead light",
        "low evening sun with long shadows",
        "overcast daylight",
        "cool fluorescent light",
        "a single spotlight against the dark",
        "neon light from the side",
    ),
    "camera": (
        "50 mm lens, shallow depth of field",
        "35 mm lens, everything in focus",
        "85 mm lens, creamy background blur",
        "smartphone photo",
        "documentary photograph, slight film grain",
        "high-resolution product photograph",
    ),
}
CLIP_ACTIONS = ("picking up", "grasping and lifting", "reaching for and lifting", "taking")
PRESETS: dict[str, Preset] = {
    "photo": Preset("a photo of a hand with __skin__ __action__ a __color__ __object__ __scene__, __light__, __camera__", PHOTO),
    "photo clip": Preset(
        "a hand with __skin__ __action__ a __color__ __object__ __scene__, __light__, __camera__, smooth natural motion, static camera",
        {**PHOTO, "action": CLIP_ACTIONS},
        CLIP_NEGATIVE,
    ),
    "caption": Preset(
        "The image shows a person's hand with __skin__ __action__ a __color__ __object__ __scene__. The fingers are slightly bent and "
        "point at the __object__. The scene is lit by __light__. The picture looks like this: __camera__.",
        PHOTO,
    ),
    "PAM appearance": Preset("A hand is trying to grasp something"),
    "PAM motion": Preset("A man is in a lab trying to grasp something.", negative=CLIP_NEGATIVE),
    "PAM motion, two hands": Preset("One or two hands are moving.", negative=CLIP_NEGATIVE),
    "mini appearance": Preset("a __skin__ hand __action__ a __color__ __object__ __scene__, __light__", MINI, closed=True),
    "mini motion": Preset(
        "a __skin__ hand __action__ a __color__ __object__ __scene__, __light__",
        {**MINI, "action": ("picking up", "grasping and lifting", "lifting")},
        closed=True,
    ),
}
"""The released prompts of PAM are those of its simulation scripts (pam_reference.md, 1.6, 3.6). "caption" is worded as the LLaVA captions
that its appearance stage was trained with (2.3)."""
