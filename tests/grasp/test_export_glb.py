"""The animated GLB, read back by trimesh and by a small independent reader."""

import json
import struct
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from pam_nodes.grasp.export_glb import trajectory_to_glb
from pam_nodes.grasp.trajectory import HandTrack, ObjectTrack, Trajectory
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.skinning import skin

from .setting import placed

FRAMES, FPS = 5, 10.0
DTYPES = {5121: np.uint8, 5125: np.uint32, 5126: np.float32}
WIDTH = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """Reads a GLB by the specification."""

    def __init__(self, content: bytes):
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON" and size % 4 == 0
        self.json = json.loads(content[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", content, 20 + size)
        assert kind == b"BIN\0" and 28 + size + binary_size == len(content)
        self.binary = content[28 + size :]
        assert self.json["buffers"][0]["byteLength"] == len(self.binary)

    def array(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view, dtype = self.json["bufferViews"][accessor["bufferView"]], np.dtype(DTYPES[accessor["componentType"]])
        count = accessor["count"] * WIDTH[accessor["type"]]
        assert view["byteOffset"] % 4 == 0 and view["byteLength"] == count * dtype.itemsize
        assert view["byteOffset"] + view["byteLength"] <= len(self.binary)
        return np.frombuffer(self.binary, dtype, count, view["byteOffset"]).reshape(accessor["count"], -1).copy()

    def keys(self, node: int, path: str, frame: int, default) -> np.ndarray:
        animation = self.json["animations"][0]
        for channel in animation["channels"]:
            if channel["target"] == {"node": node, "path": path}:
                return self.array(animation["samplers"][channel["sampler"]]["output"])[frame]
        return np.array(self.json["nodes"][node].get(path, default), dtype=float)

    def world(self, frame: int) -> dict[int, np.ndarray]:
        """Node index to (4, 4) world matrix at a key frame."""
        found = {}

        def visit(node, parent):
            local = np.eye(4)
            local[:3, :3] = Rotation.from_quat(self.keys(node, "rotation", frame, [0, 0, 0, 1])).as_matrix()
            local[:3, 3] = self.keys(node, "translation", frame, [0, 0, 0])
            found[node] = parent @ local
            for child in self.json["nodes"][node].get("children", []):
                visit(child, found[node])

        for root in self.json["scenes"][0]["nodes"]:
            visit(root, np.eye(4))
        return found


def trajectory(side: str = "right") -> Trajectory:
    rng = np.random.default_rng(0)
    hand = load_default_hand(side)
    orient, hand_pose, transl = rng.uniform(-1.5, 1.5, (FRAMES, 3)), rng.uniform(-0.5, 0.5, (FRAMES, 45)), rng.uniform(0, 0.3, (FRAMES, 3))
    pose = HandPose(orient, hand_pose, transl, np.array([1.0, -0.5]), side)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(rng.uniform(-2, 2, (FRAMES, 3))).as_matrix()
    poses[:, :3, 3] = rng.uniform(0, 0.3, (FRAMES, 3))
    return Trajectory((HandTrack(hand, pose),), (ObjectTrack(placed("box"), poses),), FPS)


@pytest.fixture(scope="module")
def motion():
    return trajectory()


@pytest.fixture(scope="module")
def glb(motion):
    return Glb(trajectory_to_glb(motion))


def y_up(points: np.ndarray) -> np.ndarray:
    return points[..., [0, 2, 1]] * [1, 1, -1]


def test_every_accessor_lies_in_the_buffer_and_tells_its_bounds(glb):
    for index, accessor in enumerate(glb.json["accessors"]):
        array = glb.array(index)
        assert np.isfinite(array).all()
        if "min" in accessor:
            assert np.allclose(array.min(0), accessor["min"]) and np.allclose(array.max(0), accessor["max"])
    for mesh in glb.json["meshes"]:
        for primitive in mesh["primitives"]:
            counts = {len(glb.array(index)) for index in primitive["attributes"].values()}
            assert len(counts) == 1 and "min" in glb.json["accessors"][primitive["attributes"]["POSITION"]]
            if "indices" in primitive:
                assert glb.array(primitive["indices"]).max() < counts.pop()


def test_one_clip_of_the_right_duration(glb):
    assert len(glb.json["animations"]) == 1
    for sampler in glb.json["animations"][0]["samplers"]:
        assert glb.array(sampler["input"]).ravel() == pytest.approx(np.arange(FRAMES) / FPS)
        assert len(glb.array(sampler["output"])) == FRAMES


@pytest.mark.parametrize("side", ["right", "left"])
def test_skinned_hand_is_the_hand(side):
    motion = trajectory(side)
    glb, track = Glb(trajectory_to_glb(motion)), motion.hands[0]
    flat = skin(replace(track.model, posedirs=np.zeros_like(track.model.posedirs)), track.pose)
    node = next(item for item in glb.json["nodes"] if "skin" in item)
    attributes = glb.json["meshes"][node["mesh"]]["primitives"][0]["attributes"]
    vertices, joints, weights = (glb.array(attributes[key]) for key in ("POSITION", "JOINTS_0", "WEIGHTS_0"))
    assert weights.sum(1) == pytest.approx(1, abs=1e-6) and joints.max() < 16
    binding = glb.json["skins"][node["skin"]]
    binds = glb.array(binding["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    for frame in range(FRAMES):
        world = glb.world(frame)
        matrices = np.stack([world[joint] @ bind for joint, bind in zip(binding["joints"], binds, strict=True)])
        blended = np.einsum("vk,vkij->vij", weights, matrices[joints])
        posed = (blended @ np.c_[vertices, np.ones(len(vertices))][..., None])[:, :3, 0]
        assert np.abs(posed - y_up(flat.vertices[frame])).max() < 2e-3, "four of at most six influences"
        assert np.median(np.abs(posed - y_up(flat.vertices[frame]))) < 1e-5
        centres = np.stack([world[joint][:3, 3] for joint in binding["joints"]])
        assert np.abs(centres - y_up(flat.joints[frame])).max() < 1e-5


def test_object_follows_its_poses(glb, motion):
    node = next(i for i, item in enumerate(glb.json["nodes"]) if item["name"] == "box")
    track = motion.objects[0]
    corners = glb.array(glb.json["meshes"][glb.json["nodes"][node]["mesh"]]["primitives"][0]["attributes"]["POSITION"])
    assert np.array_equal(corners, track.mesh.vertices[track.mesh.faces.ravel()])
    for frame in range(FRAMES):
        matrix, pose = glb.world(frame)[node], track.poses[frame]
        assert np.abs(corners @ matrix[:3, :3].T + matrix[:3, 3] - y_up(corners @ pose[:3, :3].T + pose[:3, 3])).max() < 1e-5


def test_rotation_keys_take_the_short_way(glb):
    animation = glb.json["animations"][0]
    for channel in animation["channels"]:
        if channel["target"]["path"] == "rotation":
            keys = glb.array(animation["samplers"][channel["sampler"]]["output"])
            assert ((keys[1:] * keys[:-1]).sum(1) >= 0).all() and np.linalg.norm(keys, axis=1) == pytest.approx(1, abs=1e-6)


def test_box_keeps_its_edges(glb):
    node = next(item for item in glb.json["nodes"] if item["name"] == "box")
    normals = glb.array(glb.json["meshes"][node["mesh"]]["primitives"][0]["attributes"]["NORMAL"])
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.isclose(np.abs(normals).max(1), 1, atol=0.02).mean() > 0.2, "the large faces stay flat"


def test_trimesh_reads_it(motion):
    scene = trimesh.load(BytesIO(trajectory_to_glb(motion)), file_type="glb")
    assert {"right hand", "box", "table"} <= set(scene.geometry)
    assert len(scene.geometry["right hand"].faces) == len(motion.hands[0].model.faces)


def test_static_geometry_covers_the_motion(glb, motion):
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for item in glb.json["nodes"]:
        if item["name"] in ("table", "path"):
            points = glb.array(glb.json["meshes"][item["mesh"]]["primitives"][0]["attributes"]["POSITION"])
            low, high = np.minimum(low, points.min(0)), np.maximum(high, points.max(0))
    centres = np.concatenate([motion.hands[0].pose.transl, motion.objects[0].poses[:, :3, 3]])
    assert (centres[:, :2].max(0) < high[:2]).all() and high[2] > motion.objects[0].poses[:, 2, 3].max() - 0.05
