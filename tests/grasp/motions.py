"""Small motions for tests, without physics."""

import numpy as np

from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.rotations import pose_matrix
from pam_nodes.grasp.trajectory import HandTrack, ObjectTrack, Trajectory
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.posing import preset_pose


def box(size=(0.06, 0.06, 0.06), name="box") -> ObjectMesh:
    import trimesh

    mesh = trimesh.creation.box(size)
    return ObjectMesh(mesh.vertices.astype(np.float32), np.asarray(mesh.faces, np.int64), name)


def walk(length=20, fps=30.0, side="right", speed=1.0, seed=0) -> Trajectory:
    """A hand that turns and moves along x at ``speed`` m/s above a box that follows it, with wiggling fingers."""
    rng, t = np.random.default_rng(seed), np.arange(length) / fps
    model = load_default_hand(side)
    fingers = preset_pose("relaxed", side) + 0.1 * np.sin(5 * t[:, None] + rng.uniform(0, 6, 45))
    orient = np.stack([0.3 * t, 0.5 * np.sin(t), 1.2 * t], 1)
    place = np.stack([speed * t, 0 * t, 0.3 + 0 * t], 1)
    pose = HandPose(orient, fingers, place, np.zeros(0, np.float32), side)
    turns = np.tile(np.eye(3), (length, 1, 1))
    poses = pose_matrix(turns, np.stack([speed * t, 0.2 + 0 * t, 0.03 + 0 * t], 1))
    return Trajectory((HandTrack(model, pose),), (ObjectTrack(box(), poses),), fps)
