"""The node classes: schema, resolve, one core call, wrap."""

from importlib import import_module

MODULES = (
    "hand",
    "hand_tools",
    "recordings",
    "objects",
    "grasp",
    "trajectory",
    "scene",
    "quality",
    "camera",
    "camera_interop",
    "conditions",
    "condition_looks",
    "keypoints",
    "condition_extras",
    "preview",
    "prompt",
    "appearance",
    "appearance_tools",
    "assess",
    "compare",
    "motion",
    "motion_clip",
    "mini",
    "refine",
)


def all_nodes() -> list[type]:
    """Every node class of the pack, in the order of the stages."""
    return [node for name in MODULES for node in import_module(f".{name}", __name__).NODES]
