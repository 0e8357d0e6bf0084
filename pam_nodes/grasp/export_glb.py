"""A trajectory as an animated GLB for 3D viewers: skinned hands, moving objects, the table and the paths."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from ..geometry.mesh import ObjectMesh
from ..hands.joints import MANO_FINGERS, rest_joints
from ..hands.model import PARENTS
from .gltf import LINE_STRIP, GlbWriter
from .trajectory import HandTrack, ObjectTrack, Trajectory

SKIN_COLOR, TABLE_COLOR = (0.87, 0.66, 0.56), (0.62, 0.58, 0.53)
PATH_COLOR = (0.95, 0.55, 0.15)
Z_UP_TO_Y_UP = [-(0.5**0.5), 0.0, 0.0, 0.5**0.5]
"""Quaternion xyzw of the root node: glTF is Y up, the world of the pack is Z up."""

CREASE = np.radians(40)
JOINT_NAMES = ("wrist", *(f"{finger}{i}" for finger in MANO_FINGERS for i in (1, 2, 3)))


def trajectory_to_glb(trajectory: Trajectory) -> bytes:
    """Write a trajectory as one GLB with one clip named "motion".

    Hands are skinned with rotation keys for each joint. glTF allows four joints for each vertex: the four largest weights are kept and
    renormalised. Pose correctives (``posedirs``) are left out. The table and the paths of wrists and objects are static geometry, so that a
    viewer that frames the first moment keeps the whole motion in view.

    Args:
        trajectory: T >= 1 frames.

    Returns:
        The file content.
    """
    glb = GlbWriter()
    times = glb.accessor((np.arange(len(trajectory)) / trajectory.fps).astype(np.float32), bounds=True)
    nodes, paths = [], []
    for i, track in enumerate(trajectory.hands):
        origin = rest_joints(track.model, track.pose.betas)[0]
        paths.append(origin + track.pose.transl)
        nodes += _add_hand(glb, track, times, f"{track.model.side} hand {i + 1}" if i else f"{track.model.side} hand")
    for track in trajectory.objects:
        center = (track.mesh.vertices.min(0) + track.mesh.vertices.max(0)) / 2
        paths.append(track.poses[:, :3, :3] @ center + track.poses[:, :3, 3])
        nodes.append(_add_object(glb, track, times))
    nodes += _add_surroundings(glb, paths)
    root = glb.node("world", children=nodes, rotation=Z_UP_TO_Y_UP)
    return glb.to_bytes([root])


def _add_hand(glb: GlbWriter, track: HandTrack, times: int, name: str) -> list[int]:
    """Skinned mesh and joint nodes of one hand; returns the nodes to hang under the root."""
    model, pose = track.model, track.pose
    betas = np.asarray(pose.betas, dtype=np.float32)
    rest = rest_joints(model, betas)
    vertices = model.v_template + model.shapedirs[:, :, : len(betas)] @ betas
    joints, weights = _four_influences(model.weights)
    attributes = {"NORMAL": _vertex_normals(vertices, model.faces), "JOINTS_0": joints, "WEIGHTS_0": weights}
    mesh = glb.mesh(name, glb.material(SKIN_COLOR, "skin"), vertices, model.faces, attributes)

    turns = np.concatenate([pose.global_orient, pose.hand_pose], 1).reshape(len(pose), 16, 3)
    nodes: list[int] = [0] * 16
    for joint in reversed(range(16)):
        offset = rest[joint] - rest[PARENTS[joint]] if joint else rest[0] + pose.transl[0]
        children = [nodes[i] for i in range(16) if PARENTS[i] == joint]
        rotation = _continuous(Rotation.from_rotvec(turns[:, joint]).as_quat())
        properties = {"translation": offset.tolist(), "rotation": rotation[0].tolist()} | ({"children": children} if children else {})
        nodes[joint] = glb.node(f"{name} {JOINT_NAMES[joint]}", **properties)
        glb.animate(nodes[joint], "rotation", times, rotation)
    glb.animate(nodes[0], "translation", times, rest[0] + pose.transl)
    binds = np.tile(np.eye(4), (16, 1, 1))
    binds[:, :3, 3] = -rest
    return [nodes[0], glb.node(name, mesh=mesh, skin=glb.skin(nodes, binds))]


def _add_object(glb: GlbWriter, track: ObjectTrack, times: int) -> int:
    mesh = track.mesh
    vertices, normals = _creased(mesh)
    shape = glb.mesh(mesh.name, glb.material(mesh.color, mesh.name, double_sided=True), vertices, None, {"NORMAL": normals})
    rotation = _continuous(Rotation.from_matrix(track.poses[:, :3, :3]).as_quat())
    translation = track.poses[:, :3, 3]
    node = glb.node(mesh.name, mesh=shape, translation=translation[0].tolist(), rotation=rotation[0].tolist())
    glb.animate(node, "translation", times, translation)
    glb.animate(node, "rotation", times, rotation)
    return node


def _add_surroundings(glb: GlbWriter, paths: list[np.ndarray]) -> list[int]:
    """The table under the motion and one line for each path (T, 3)."""
    points = np.concatenate(paths)
    low, high = points.min(0)[:2] - 0.15, points.max(0)[:2] + 0.15
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    table = np.concatenate([corners, np.full((4, 1), -0.001)], 1)
    normals = np.tile(np.array([0, 0, 1], dtype=np.float32), (4, 1))
    wood = glb.material(TABLE_COLOR, "table", double_sided=True)
    nodes = [glb.node("table", mesh=glb.mesh("table", wood, table, np.array([[0, 1, 2], [0, 2, 3]]), {"NORMAL": normals}))]
    orange = glb.material(PATH_COLOR, "path")
    for path in paths:
        if len(path) > 1:
            nodes.append(glb.node("path", mesh=glb.mesh("path", orange, path, mode=LINE_STRIP)))
    return nodes


def _four_influences(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint ids (V, 4) uint8 and weights (V, 4) float32 that sum to 1: the four largest of each vertex."""
    largest = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    kept = np.take_along_axis(weights, largest, 1)
    return np.where(kept > 0, largest, 0).astype(np.uint8), (kept / kept.sum(1, keepdims=True)).astype(np.float32)


def _face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3) normals as long as twice the face's area."""
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return np.cross(b - a, c - a)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors; the zero vector becomes +Z."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-20, vectors / np.maximum(length, 1e-20), [0, 0, 1]).astype(np.float32)


def _vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) smooth normals."""
    normals = _face_normals(vertices, faces)
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, faces[:, corner], normals)
    return _unit(total)


def _creased(mesh: ObjectMesh) -> tuple[np.ndarray, np.ndarray]:
    """Corners (3F, 3) in drawing order with normals that are smooth across edges flatter than ``CREASE``."""
    faces = np.asarray(mesh.faces)
    areas = _face_normals(mesh.vertices, faces)
    units = _unit(areas).astype(np.float64)
    face = np.repeat(np.arange(len(faces)), 3)
    touching = csr_matrix((np.ones(len(face)), (faces.ravel(), face)), shape=(len(mesh.vertices), len(faces)))
    pairs = touching[faces.ravel()].tocoo()
    smooth = (units[face[pairs.row]] * units[pairs.col]).sum(1) > np.cos(CREASE)
    row, col = pairs.row[smooth], pairs.col[smooth]
    normals = np.stack([np.bincount(row, areas[col, i], minlength=len(face)) for i in range(3)], 1)
    return mesh.vertices[faces.ravel()], _unit(normals)


def _continuous(quaternions: np.ndarray) -> np.ndarray:
    """(T, 4) with signs chosen so that neighbours are close, as linear interpolation between keys needs."""
    dots = (quaternions[1:] * quaternions[:-1]).sum(1)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0))
    return np.concatenate([quaternions[:1], quaternions[1:] * signs[:, None]])
