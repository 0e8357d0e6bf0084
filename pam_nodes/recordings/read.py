"""Read a motion file of any known format, told by what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..hands.model import HandModel
from . import dexycb, estimators, graspxl, oakink2, own, single
from .content import listed, read_content
from .recording import Context, ReadOptions, Recording

READERS = (own, graspxl, dexycb, oakink2, single)
EXAMPLE = Path(__file__).parents[1] / "assets" / "motion" / "mug.npz"
"""The default hand picks up the demo mug: made with the pack, CC0."""

FORMATS = ("pam_motion", "hand_pose", "graspxl", "arctic", "dexycb", "oakink2", "hamer", "hoi4d", "ho3d", "grab", "interhand")


def by_side(*hands: HandModel | None) -> dict[str, HandModel]:
    """The hands given, by side; raises ValueError for two of the same side."""
    found: dict[str, HandModel] = {}
    for hand in hands:
        if hand is not None and hand.side in found:
            raise ValueError(f"Expected a right and a left hand, found two {hand.side} ones: load the other side.")
        if hand is not None:
            found[hand.side] = hand
    return found


def read_motion(path: str | Path, hands: Mapping[str, HandModel], options: ReadOptions | None = None) -> Recording:
    """Read a file of recorded motion.

    Args:
        path: of the file; its format is recognised by its content.
        hands: the models to read it for, by side; hands of the file without a model are left out.
        options: choices of the readers.

    Returns:
        The motion, with notes on what was assumed.

    Raises:
        ValueError: unknown, damaged, hostile or unsuitable; one sentence.
    """
    path = Path(path)
    context = Context(hands, options or ReadOptions())
    try:
        content = read_content(path)
        reader = next((reader for reader in (estimators, *READERS) if reader.recognise(content)), None)
        if reader is None:
            raise ValueError(f"it holds {listed(content)}, which is none of {', '.join(FORMATS)}")
        recording = reader.read(content, context)
        _check(recording)
    except ValueError as error:
        sentence = str(error).rstrip(".")
        raise ValueError(f"Cannot read the motion '{path.name}': {sentence}.") from error
    return replace(recording, notes=(*recording.notes, *context.notes))


def _check(recording: Recording) -> None:
    if not recording.hands and not recording.objects:
        raise ValueError("expected a hand or an object, found neither: connect the hand that the file holds")
    lengths = {f"{hand.pose.side} hand": len(hand.pose) for hand in recording.hands}
    lengths |= {name: len(poses) for name, poses in recording.objects.items()}
    if 0 in lengths.values():
        raise ValueError("expected at least one frame, found none")
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in lengths.items())
        raise ValueError(f"expected as many frames for each hand and object, found {found}")
