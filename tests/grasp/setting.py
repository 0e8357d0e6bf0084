"""The setting of most grasp tests: the CC0 hand, the demo objects, and the mug grasp of the shipped workflow."""

from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.placement import place_object
from pam_nodes.geometry.primitives import demo_object
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.model import HandModel
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.posing import FingerSlider, finger_pose, place_hand

MUG_START = ("relaxed", (-0.3, -0.14, 0.17), (-15, 43, -111))
MUG_TARGET = ("pinch", (-0.124, -0.054, 0.104), (-15, 43, -111), {"thumb": -0.4, "index": -0.3, "ring": 0.25, "pinky": 0.35})
FRONT = ("relaxed", (0, -0.3, 0.2), (0, 0, 0))


def placed(kind: str, size: float = 1.0) -> ObjectMesh:
    """A demo object on the table; the hammer lies down."""
    return place_object(demo_object(kind, size), (0, 0, 0), (90, 0, 0) if kind == "hammer" else (0, 0, 0))


def posed(gesture: tuple, hand: HandModel | None = None) -> HandPose:
    """A pose of (preset, wrist, rotation in degrees, flexion by finger)."""
    preset, wrist, rotation, *flexion = gesture
    hand = hand or load_default_hand()
    sliders = {finger: FingerSlider(value) for finger, value in (flexion[0] if flexion else {}).items()}
    return place_hand(hand, finger_pose(hand, preset, sliders), wrist, rotation)
