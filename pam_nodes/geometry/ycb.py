"""The 21 YCB objects of DexYCB: their names, ids, and the id of an object that somebody names (pam_reference.md, 1.3)."""

from __future__ import annotations

import re

YCB_NAMES = (
    "002_master_chef_can",
    "003_cracker_box",
    "004_sugar_box",
    "005_tomato_soup_can",
    "006_mustard_bottle",
    "007_tuna_fish_can",
    "008_pudding_box",
    "009_gelatin_box",
    "010_potted_meat_can",
    "011_banana",
    "019_pitcher_base",
    "021_bleach_cleanser",
    "024_bowl",
    "025_mug",
    "035_power_drill",
    "036_wood_block",
    "037_scissors",
    "040_large_marker",
    "051_large_clamp",
    "052_extra_large_clamp",
    "061_foam_brick",
)
"""In the order of the data set's ids, which start at 1."""


def ycb_label(name: str) -> int:
    """Id of a YCB object.

    Args:
        name: an id ("14"), a full name ("025_mug"), or words of one ("mug", "Cracker Box", "power drill"); if several objects have all the
            words, the one with the fewest others is meant ("large clamp" is not the extra large one).

    Returns:
        1 to 21.

    Raises:
        ValueError: no object, or more than one, is called so.
    """
    text = name.strip().lower()
    if text.isdigit() and 1 <= int(text) <= len(YCB_NAMES):
        return int(text)
    words = set(re.findall(r"[a-z0-9]+", text))
    parts = [known.split("_") for known in YCB_NAMES]
    fitting = [i for i, known in enumerate(parts) if words and words <= set(known)]
    shortest = [i for i in fitting if len(parts[i]) == min(len(parts[k]) for k in fitting)]
    if len(shortest) == 1:
        return shortest[0] + 1
    choices = ", ".join(YCB_NAMES[i] for i in shortest) if shortest else ", ".join(known[4:] for known in YCB_NAMES)
    raise ValueError(f'Expected the name or id (1 to 21) of one YCB object, found "{name.strip()}": choose one of {choices}.')
