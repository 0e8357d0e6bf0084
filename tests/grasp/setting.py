"""The setting of most grasp tests: the CC0 hand, the demo objects, and the mug grasp of the shipped workflow."""

from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.placement import place_object
from pam_nodes.geometry.primitives import demo_object
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.model import HandModel
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.posing import place_hand, preset_pose

MUG_START = ("relaxed", (-0.26, -0.2, 0.12), (63, 68, -56))
MUG_TARGET = ("grasp", (-0.086, -0.033, 0.045), (63, 68, -56))
FRONT = ("relaxed", (0, -0.3, 0.2), (0, 0, 0))


def placed(kind: str, size: float = 1.0) -> ObjectMesh:
    """A demo object on the table; the hammer lies down."""
    return place_object(demo_object(kind, size), (0, 0, 0), (90, 0, 0) if kind == "hammer" else (0, 0, 0))


def posed(gesture: tuple, hand: HandModel | None = None) -> HandPose:
    """A pose of (preset, wrist, rotation in degrees)."""
    preset, wrist, rotation = gesture
    hand = hand or load_default_hand()
    return place_hand(hand, preset_pose(preset, hand.side), wrist, rotation)
