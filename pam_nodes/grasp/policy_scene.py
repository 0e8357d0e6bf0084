"""The world as GraspXL's policy knows it: its gains, its 304 observations and its control law (specs: graspxl 3, 5)."""

from __future__ import annotations

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from .hand_body import FINGER_MASS
from .mjcf import POLICY, TIMESTEP
from .scene import Scene, State

HAND_MASS = 15 * FINGER_MASS
GRAVITY = 9.81
STIFFNESS = POLICY.wrist_position[0]
ACTION_SCALE = np.repeat([0.005, 0.015], [6, 45])
"""What an action of 1 adds to the target: metres and radians of the wrist, radians of the fingers."""

SAMPLES = 200
"""Surface points of each part that the policy feels for."""

WRIST_LIMITS = np.repeat([[-0.8, 0.8], [-6.28, 6.28]], 3, axis=0)
LINKS = 16


def euler_xyz(matrix: np.ndarray) -> np.ndarray:
    """(3,) intrinsic x-y-z angles of a rotation matrix: those of three hinges x, y, z in series."""
    return np.array([
        np.arctan2(-matrix[1, 2], matrix[2, 2]),
        np.arcsin(np.clip(matrix[0, 2], -1.0, 1.0)),
        np.arctan2(-matrix[0, 1], matrix[0, 0]),
    ])  # fmt: skip


class PolicyScene(Scene):
    """A scene driven by actions. Between ``begin`` and the last ``step`` the wrist's coordinates are relative to where it began.

    Attributes:
        lift: metres by which the wrist is drawn above the target. Since the target rises with the object, it keeps rising while this is
            not 0: GraspXL's own way to lift.
    """

    drive = POLICY
    fingers, object_pose = slice(6, 51), slice(51, 58)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        model = self.model
        self._base_body = model.body("base").id
        self._link_of = np.full(model.nbody, -1)
        self._link_of[self._links] = np.arange(LINKS)
        names = [model.geom(i).name for i in range(model.ngeom)]
        self._part_of = np.array([1 if name.startswith("avoid") else 0 if name.startswith("piece") else -1 for name in names])
        self._bounds = np.concatenate([WRIST_LIMITS, self.limits]).T
        self._samples = [part.samples[:SAMPLES] if part else None for part in (self.shape, self.avoid)]
        self._tips = np.stack([self.body.tips[finger] - self.body.joints[3 * finger + 3] for finger in range(5)])
        self.lift = 0.0

    def reset(self, state: State, base: Rotation | None = None) -> None:
        """Put everything at rest in ``state``, with the wrist's coordinates at zero."""
        self.model.body_pos[self._base_body] = state.wrist
        self.model.body_quat[self._base_body] = Rotation.from_matrix(state.rotation).as_quat(scalar_first=True)
        mujoco.mj_resetData(self.model, self.data)
        self._place(state)

    def begin(self, state: State, target: np.ndarray) -> None:
        """Start an episode.

        Args:
            state: where hand and object are; the fingers are open.
            target: (3,) point of the object's frame to which the hand centre goes.
        """
        self.reset(state)
        self.lift, self._target, self._start = 0.0, target, state.rotation
        self.center = hand_center(self.points(), state)
        self._in_object = state.object_to_world[:3, :3].T @ state.rotation
        self._mean = self.data.qpos[: self.fingers.stop].copy()
        self._goal = np.zeros_like(self._mean)

    def step(self, action: np.ndarray) -> None:
        """One control step, 10 ms. The wrist is drawn to the target by a fixed law to which the action adds."""
        wrist, turn, place, position = self._frames()
        pull = turn @ self._target + position - (wrist @ self.center + place)
        pull[2] += HAND_MASS * GRAVITY / STIFFNESS + self.lift
        self._mean[:3] += self._start.T @ pull
        self._mean[3:6] = euler_xyz(wrist.T @ (turn @ self._in_object))
        self._goal = np.clip(action * ACTION_SCALE + self._mean, *self._bounds)
        self._drive()

    def guide(self, wrist: np.ndarray, rotation: Rotation, action: np.ndarray) -> None:
        """One control step in which the policy has the fingers only: the wrist follows a given pose."""
        self.command(wrist, rotation, action[6:] * ACTION_SCALE[6:] + self._mean[6:])

    def command(self, wrist: np.ndarray, rotation: Rotation, hinges: np.ndarray) -> None:
        """Without the policy: drive the hand towards a wrist pose and hinge angles, its own weight and the object's made up for."""
        goal = self._start.T @ (wrist - self.model.body_pos[self._base_body])
        weight = np.array([0.0, 0.0, (HAND_MASS + self.mass) * GRAVITY / STIFFNESS])
        self._goal[:3] = goal + self._start.T @ weight
        self._goal[3:6] = euler_xyz(self._start.T @ rotation.as_matrix())
        self._goal[6:] = np.clip(hinges, *self.limits.T)
        self._drive()

    def finger_targets(self) -> np.ndarray:
        """(45,) hinge targets of the last step."""
        return self._goal[6:].copy()

    def set_friction(self, friction: float) -> None:
        """Friction between hand and object."""
        self.model.geom_friction[self.model.geom_bodyid != 0, 0] = friction

    def _drive(self) -> None:
        self.data.ctrl[:] = self._goal
        self._advance()
        for update in (mujoco.mj_kinematics, mujoco.mj_comPos, mujoco.mj_comVel):  # a step leaves them one physics step behind
            update(self.model, self.data)
        self._mean = self.data.qpos[: self.fingers.stop].copy()

    def observation(self) -> np.ndarray:
        """(304,) float64, in the order of specs: graspxl 5."""
        wrist, turn, place, position = self._frames()
        angles = self.data.qpos[: self.fingers.stop]
        reach = wrist.T @ (turn @ self._target + position - place) - self.center
        twist = angles[3:6] - euler_xyz(self._start.T @ turn @ self._in_object)
        own, other = self._velocity(self._wrist, wrist), self._velocity(self._object, wrist)
        touch, push, bad_touch, bad_push = self._contacts()
        nearest = [self._nearest(samples, wrist, turn, position) for samples in self._samples]
        return np.concatenate([
            reach, twist, angles[6:], self._goal - angles, *own, touch, push,
            other[0] - own[0], other[1] - own[1], bad_touch, bad_push, *nearest,
        ])  # fmt: skip

    def distance(self) -> float:
        """Metres between the hand centre and the target."""
        wrist, turn, place, position = self._frames()
        return float(np.linalg.norm(turn @ self._target + position - place - wrist @ self.center))

    def links_touching(self) -> int:
        """How many of the 16 links touch the object, whichever part."""
        touch, _, bad, _ = self._contacts()
        return int(np.count_nonzero(touch + bad))

    def _frames(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rotations of wrist and object, positions of wrist and object."""
        data = self.data
        return (
            data.xmat[self._wrist].reshape(3, 3), data.xmat[self._object].reshape(3, 3), data.xpos[self._wrist], data.xpos[self._object],
        )  # fmt: skip

    def _velocity(self, body: int, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Linear and angular velocity of a body's origin in another frame."""
        velocity = np.zeros(6)
        mujoco.mj_objectVelocity(self.model, self.data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 0)
        return frame.T @ velocity[3:], frame.T @ velocity[:3]

    def _contacts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Flag and impulse (N s of one physics step) of each link, with the part to grasp, then with the part to avoid."""
        flags, impulses = np.zeros((2, LINKS)), np.zeros((2, LINKS))
        contact = self.data.contact
        if len(contact.dist):
            parts, links = self._part_of[contact.geom], self._link_of[self.model.geom_bodyid[contact.geom]]
            part, link, first = parts.max(axis=1), links.max(axis=1), contact.efc_address
            use = np.flatnonzero((part >= 0) & (link >= 0) & (first >= 0))
            forces = self.data.efc_force[first[use, None] + np.arange(3)]
            impulse = np.sqrt((forces * forces).sum(axis=1)) * TIMESTEP
            use, impulse = use[impulse > 0], impulse[impulse > 0]
            flags[part[use], link[use]] = 1.0
            np.maximum.at(impulses, (part[use], link[use]), impulse)
        touched = flags[1] == 1
        flags[1, touched] -= flags[0, touched]
        impulses[1, touched] -= impulses[0, touched]
        return flags[0], impulses[0], flags[1], impulses[1]

    def points(self) -> np.ndarray:
        """(21, 3) world: wrist, then the three joints and the tip of index, middle, pinky, ring, thumb."""
        places = self.data.xpos[self._links]
        last = self._links[[3, 6, 9, 12, 15]]
        tips = (self.data.xmat[last].reshape(5, 3, 3) @ self._tips[:, :, None])[..., 0] + self.data.xpos[last]
        fingers = np.concatenate([places[1:].reshape(5, 3, 3), tips[:, None]], axis=1)
        return np.concatenate([places[:1], fingers.reshape(20, 3)])

    def _nearest(self, samples: np.ndarray | None, wrist: np.ndarray, turn: np.ndarray, position: np.ndarray) -> np.ndarray:
        """(63,) vectors from the 21 points to the nearest surface sample, wrist frame; zeros without samples."""
        if samples is None:
            return np.zeros(63)
        points = (self.points() - position) @ turn
        squares = (points * points).sum(1)[:, None] - 2 * points @ samples.T + (samples * samples).sum(1)
        return ((samples[squares.argmin(axis=1)] - points) @ (wrist.T @ turn).T).ravel()


def hand_center(points: np.ndarray, state: State) -> np.ndarray:
    """(3,) middle between the thumb's tip and the four fingers' middle joints, wrist frame, of (21, 3) world points."""
    center = (points[[2, 6, 10, 14]].mean(axis=0) + points[20]) / 2
    return state.rotation.T @ (center - state.wrist)
