"""The simulated world of one rollout: reset it, command the hand, step, read the state. World frame, metres, seconds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from .collision import CollisionShape
from .hand_body import HandBody
from .mjcf import TIMESTEP, TRACKING, Drive, implicit_pd, scene_xml

log = logging.getLogger(__name__)

SUBSTEPS = 4
"""Physics steps for one command: commands run at 100 Hz."""

CONTROL_RATE = 1 / (SUBSTEPS * TIMESTEP)

_SLIDES, _BALL, _FINGER_DOFS = slice(0, 3), slice(3, 7), slice(6, 51)


@contextmanager
def warnings_to_log() -> Iterator[None]:
    """Send MuJoCo's warnings to our log; left alone it writes MUJOCO_LOG.TXT into the working directory."""
    previous = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(log.debug)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(previous)


class UnstableSimulationError(RuntimeError):
    """The solver diverged; another attempt with other settings may not."""


@dataclass(frozen=True, eq=False)
class State:
    """One moment: wrist (3,) and (3, 3), 45 hinge angles, object_to_world (4, 4)."""

    wrist: np.ndarray
    rotation: np.ndarray
    hinges: np.ndarray
    object_to_world: np.ndarray


class Scene:
    """A right hand, an object and the table in MuJoCo."""

    drive: Drive = TRACKING
    fingers, object_pose = slice(7, 52), slice(52, 59)
    """Where ``qpos`` holds the finger hinges, and position and wxyz quaternion of the object."""

    def __init__(self, body: HandBody, limits: np.ndarray, shape: CollisionShape, mass: float, avoid: CollisionShape | None = None):
        self.body, self.shape, self.limits, self.mass, self.avoid = body, shape, limits, mass, avoid
        self.model = mujoco.MjModel.from_xml_string(scene_xml(body, limits, shape, mass, self.drive, avoid))
        self.data = mujoco.MjData(self.model)
        self._wrist = self.model.body("wrist").id
        self._links = np.array([self._wrist] + [self.model.body(f"link{joint}").id for joint in range(1, 16)])
        self._object = self.model.body("object").id
        self._base = Rotation.identity()

    def configure(self, finger_stiffness: float, friction: float) -> None:
        """Set the hinge stiffness (N m/rad, damping in proportion) and the friction between hand and object."""
        model = self.model
        damping = finger_stiffness * TRACKING.fingers[1] / TRACKING.fingers[0]
        model.dof_armature[_FINGER_DOFS], model.dof_damping[_FINGER_DOFS] = implicit_pd(finger_stiffness, damping)
        model.actuator_gainprm[_FINGER_DOFS, 0] = finger_stiffness
        model.actuator_biasprm[_FINGER_DOFS, 1] = -finger_stiffness
        model.geom_friction[model.geom_bodyid != 0, 0] = friction
        mujoco.mj_setConst(model, self.data)

    def reset(self, state: State, base: Rotation | None = None) -> None:
        """Put everything at rest in ``state``.

        ``base`` is the rotation about which the wrist's ball joint is zero; its angles stay well-behaved up to half a turn from it.
        """
        self._base = base or Rotation.from_matrix(state.rotation)
        self.model.body_quat[self._wrist] = self._base.as_quat(scalar_first=True)
        mujoco.mj_resetData(self.model, self.data)
        qpos = self.data.qpos
        qpos[_SLIDES] = self._base.inv().apply(state.wrist)
        qpos[_BALL] = (self._base.inv() * Rotation.from_matrix(state.rotation)).as_quat(scalar_first=True)
        self._place(state)

    def _place(self, state: State) -> None:
        """Set fingers and object, then compute everything that follows from the coordinates."""
        qpos = self.data.qpos
        qpos[self.fingers] = state.hinges
        qpos[self.object_pose][:3] = state.object_to_world[:3, 3]
        qpos[self.object_pose][3:] = Rotation.from_matrix(state.object_to_world[:3, :3]).as_quat(scalar_first=True)
        mujoco.mj_forward(self.model, self.data)

    def command(self, wrist: np.ndarray, rotation: Rotation, hinges: np.ndarray) -> None:
        """Drive the hand towards a wrist pose and hinge angles for one control step (10 ms)."""
        control = self.data.ctrl
        control[:3] = self._base.inv().apply(wrist)
        control[3:6] = (self._base.inv() * rotation).as_rotvec()
        control[6:] = np.clip(hinges, *self.limits.T)
        self._advance()

    def _advance(self) -> None:
        """One control step with the commands as they are."""
        for _ in range(SUBSTEPS):
            mujoco.mj_step(self.model, self.data)
        warnings = (mujoco.mjtWarning.mjWARN_BADQACC, mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL)
        if any(self.data.warning[kind].number for kind in warnings) or not np.isfinite(self.data.qpos).all():
            raise UnstableSimulationError("The simulation became unstable.")

    def state(self) -> State:
        """Copy of the present state."""
        pose = np.eye(4)
        pose[:3, :3] = self.data.xmat[self._object].reshape(3, 3)
        pose[:3, 3] = self.data.xpos[self._object]
        rotation = self.data.xmat[self._wrist].reshape(3, 3).copy()
        return State(self.data.xpos[self._wrist].copy(), rotation, self.data.qpos[self.fingers].copy(), pose)

    def touching(self) -> tuple[float, tuple[int, ...]]:
        """Deepest overlap of hand and object in metres (0 without contact), and the joints whose links touch it."""
        contact = self.data.contact
        if not len(contact.dist):
            return 0.0, ()
        owners = self.model.geom_bodyid[contact.geom]
        with_hand = (owners == self._object).any(1) & (owners != 0).all(1) & (contact.dist <= 0)
        if not with_hand.any():
            return 0.0, ()
        links = np.setdiff1d(owners[with_hand], [self._object])
        return float(-contact.dist[with_hand].min()), tuple(int(i) for i in np.flatnonzero(np.isin(self._links, links)))

    def overlap(self, state: State) -> tuple[float, tuple[int, ...]]:
        """``touching`` for a state that is only placed, not simulated."""
        self.reset(state)
        return self.touching()

    def hand_points(self, wrist: np.ndarray, rotation: Rotation, hinges: np.ndarray) -> np.ndarray:
        """(21, 3) world positions of the 16 joints, then of the five tips in MANO finger order, for a hand pose."""
        self.reset(State(wrist, rotation.as_matrix(), hinges, np.eye(4)))
        tips = [self._link_ends(finger)[1][1] for finger in range(5)]
        return np.concatenate([self.data.xpos[self._links], tips])

    def closing_gradient(self, opposition: float = 0.0) -> np.ndarray:
        """(45,) hinge directions that bring each finger to the nearest object surface, largest entry 1 per finger.

        The Jacobian transpose of the last two link ends of each finger, applied to the unit vectors to the nearest surface sample;
        flexion is preferred for the four fingers (specs: graspxl 10).

        Args:
            opposition: weight, against 1 for the surface, of the unit vector from each tip to what it closes against: the thumb's tip, or
                the middle of the other tips for the thumb.
        """
        pose = self.state().object_to_world
        surface = self.shape.samples @ pose[:3, :3].T + pose[:3, 3]
        jacobian = np.zeros((3, self.model.nv))
        gradient = np.zeros(45)
        tips = np.array([self._link_ends(finger)[1][1] for finger in range(5)])
        for finger in range(5):
            across = (tips[:4].mean(0) if finger == 4 else tips[4]) - tips[finger]
            across *= opposition / (np.linalg.norm(across) + 1e-6)
            dofs = slice(6 + 9 * finger, 15 + 9 * finger)
            pull = np.zeros(9)
            for joint, point in self._link_ends(finger):
                offsets = surface - point
                nearest = offsets[(offsets**2).sum(1).argmin()]
                mujoco.mj_jac(self.model, self.data, jacobian, None, point, self._links[joint])
                pull += jacobian[:, dofs].T @ (nearest / (np.linalg.norm(nearest) + 1e-6) + across)
            pull *= _THUMB_PREFERENCE if finger == 4 else _FINGER_PREFERENCE
            gradient[9 * finger : 9 * finger + 9] = pull / (np.abs(pull).max() + 1e-6)
        return gradient

    def opening_direction(self) -> np.ndarray:
        """(45,) hinge directions that open the hand, largest entry 1 per finger: fingers stretch, the thumb leaves their tips."""
        direction = np.tile([0, 0, -1.0], 15)
        tips = [self._link_ends(finger)[1][1] for finger in range(5)]
        away = tips[4] - np.mean(tips[:4], axis=0)
        jacobian = np.zeros((3, self.model.nv))
        mujoco.mj_jac(self.model, self.data, jacobian, None, tips[4], self._links[15])
        thumb = _THUMB_PREFERENCE * (jacobian[:, 42:51].T @ away)
        direction[36:] = thumb / (np.abs(thumb).max() + 1e-6)
        return direction

    def _link_ends(self, finger: int) -> list[tuple[int, np.ndarray]]:
        """World positions of the end of the middle link and of the tip, with the joint each belongs to."""
        last = 3 * finger + 3
        body = self._links[last]
        tip = self.data.xmat[body].reshape(3, 3) @ (self.body.tips[finger] - self.body.joints[last]) + self.data.xpos[body]
        return [(last - 1, self.data.xpos[body].copy()), (last, tip)]


_FINGER_PREFERENCE = np.array([0.2, 0.3, 1, 0.2, 0.2, 1, 0.2, 0.2, 1])
_THUMB_PREFERENCE = np.array([0.6, 1, 1, 0.6, 0.6, 1, 0.6, 0.6, 1])
