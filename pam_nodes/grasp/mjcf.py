"""The MuJoCo model of a right hand, one object and the table, as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .collision import CollisionShape
from .hand_body import FINGER_MASS, PALM_MASS, Capsule, HandBody

TIMESTEP = 0.0025
"""Seconds of one physics step (specs: graspxl 9)."""


@dataclass(frozen=True)
class Drive:
    """What moves the hand: stiffness and damping of its joints (N/m and N s/m, or N m/rad and N m s/rad).

    Attributes:
        wrist_position, wrist_rotation, fingers: (stiffness, damping).
        wrist_force: N, the most the wrist's slides can push; 0 has no limit.
        hinged: the wrist turns about three hinges x, y, z in series, relative to the body "base"; otherwise by a ball joint.
        weightless: gravity does not act on the hand.
    """

    wrist_position: tuple[float, float]
    wrist_rotation: tuple[float, float]
    fingers: tuple[float, float]
    wrist_force: float = 0.0
    hinged: bool = False
    weightless: bool = True


TRACKING = Drive(wrist_position=(4000.0, 240.0), wrist_rotation=(200.0, 6.0), fingers=(10.0, 0.3))
"""Stiff wrist, soft fingers, to follow a given motion (specs: graspxl 10)."""

POLICY = Drive((100.0, 10.1), (100.0, 1.2), (100.0, 1.2), wrist_force=100.0, hinged=True, weightless=False)
"""The gains GraspXL was trained with; the damping is that of its controller and of its hand together (specs: graspxl 3, 9)."""


def implicit_pd(stiffness: float, damping: float) -> tuple[float, float]:
    """(armature, damping) of a joint that makes explicit Euler with a position actuator equal to an implicit PD law.

    ``(M + h D + h^2 P) dv = h (P e - (D + h P) v)``, so that the contact solver sees the same effective inertia (specs: graspxl 9).
    """
    return TIMESTEP * damping + TIMESTEP**2 * stiffness, damping + TIMESTEP * stiffness


def scene_xml(
    body: HandBody, limits: np.ndarray, shape: CollisionShape, mass: float, drive: Drive = TRACKING, avoid: CollisionShape | None = None
) -> str:
    """MJCF of the scene.

    Args:
        body: the hand.
        limits: (45, 2) hinge bounds, radians.
        shape: the object.
        mass: of the object with its part to avoid, kg.
        drive: gains of the hand's joints.
        avoid: another part of the object, rigidly one with it.

    Returns:
        The model. Coordinates in this order: wrist (3 slides, then a ball joint or 3 hinges), 45 finger hinges, free object.
        Collisions: hand with object and object with table; the hand never touches the table or itself (specs: graspxl 4).
    """
    parts = [("piece", shape)] + ([("avoid", avoid)] if avoid else [])
    pieces = {f"{name}{i}": piece for name, part in parts for i, piece in enumerate(part.pieces)}
    hand = f"""<body name="base">
    <body name="wrist"{_weight(drive)}>
      {_wrist_joints(drive)}{_capsules(body, 0)}
      {"".join(_finger(body, limits, first, drive) for first in (1, 4, 7, 10, 13))}
    </body>
  </body>"""
    return object_xml(pieces, *inertia_of(shape, avoid, mass), mass, hand, _actuators(drive))


def object_xml(
    pieces: dict[str, np.ndarray], center: np.ndarray, inertia: np.ndarray, mass: float, hand: str = "", actuators: str = ""
) -> str:
    """MJCF of a free object over the table, with or without a hand before it.

    Args:
        pieces: (N, 3) corners of the object's convex pieces by name.
        center, inertia: (3,) centre of mass and (3, 3) inertia about it.
        mass: kg.
        hand, actuators: their elements.
    """
    meshes = "".join(f'<mesh name="{name}" vertex="{_numbers(piece)}"/>' for name, piece in pieces.items())
    geoms = "".join(f'<geom name="{name}" class="object" type="mesh" mesh="{name}"/>' for name in pieces)
    full = inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    return f"""<mujoco>
<compiler angle="radian" balanceinertia="true" boundinertia="1e-7"/>
<option timestep="{TIMESTEP}" integrator="Euler" cone="elliptic" impratio="10" iterations="50"><flag eulerdamp="disable"/></option>
<default>
  <geom condim="4" friction="3 0.005 0.0001" solref="0.005 1" solimp="0.95 0.99 0.001" mass="0"/>
  <default class="hand"><geom type="capsule" contype="1" conaffinity="2"/></default>
  <default class="object"><geom contype="2" conaffinity="5"/></default>
</default>
<asset>{meshes}</asset>
<worldbody>
  <geom name="table" type="plane" size="5 5 0.1" contype="4" conaffinity="2" priority="1" condim="6" friction="1 0.005 0.001"/>
  {hand}
  <body name="object"><freejoint/>
    <inertial pos="{_numbers(center)}" mass="{mass:.6g}" fullinertia="{_numbers(full)}"/>{geoms}
  </body>
</worldbody>
<actuator>{actuators}</actuator>
</mujoco>"""


def inertia_of(shape: CollisionShape, avoid: CollisionShape | None, mass: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre of mass (3,) and inertia about it (3, 3) of one or two parts of equal density that weigh ``mass`` together."""
    parts = [shape] + ([avoid] if avoid else [])
    volumes = np.array([part.volume for part in parts])
    masses = mass * volumes / volumes.sum()
    center = sum(m * part.center_of_mass for m, part in zip(masses, parts, strict=True)) / mass
    inertia = np.zeros((3, 3))
    for m, part in zip(masses, parts, strict=True):
        off = part.center_of_mass - center
        inertia += m * (part.unit_inertia + off @ off * np.eye(3) - np.outer(off, off))
    return center, inertia


def _weight(drive: Drive) -> str:
    return ' gravcomp="1"' if drive.weightless else ""


def _wrist_joints(drive: Drive) -> str:
    axes = ("1 0 0", "0 1 0", "0 0 1")
    armature, damping = implicit_pd(*drive.wrist_position)
    text = "".join(
        f'<joint name="slide{i}" type="slide" axis="{axis}" armature="{armature}" damping="{damping}"/>' for i, axis in enumerate(axes)
    )
    armature, damping = implicit_pd(*drive.wrist_rotation)
    if not drive.hinged:
        return text + f'<joint name="ball" type="ball" armature="{armature}" damping="{damping}"/>'
    return text + "".join(
        f'<joint name="turn{i}" type="hinge" axis="{axis}" armature="{armature}" damping="{damping}"/>' for i, axis in enumerate(axes)
    )


def _finger(body: HandBody, limits: np.ndarray, first: int, drive: Drive) -> str:
    """Three nested links with three hinges each, from joint ``first`` to the fingertip."""
    armature, damping = implicit_pd(*drive.fingers)
    text = ""
    for joint in range(first, first + 3):
        parent = 0 if joint == first else joint - 1
        text += f'<body name="link{joint}"{_weight(drive)} pos="{_numbers(body.joints[joint] - body.joints[parent])}">'
        for i, axis in enumerate(("1 0 0", "0 1 0", "0 0 1")):
            hinge = 3 * (joint - 1) + i
            text += (
                f'<joint name="hinge{hinge}" type="hinge" axis="{axis}" limited="true" range="{_numbers(limits[hinge])}"'
                f' armature="{armature}" damping="{damping}"/>'
            )
        text += _capsules(body, joint)
    return text + "</body></body></body>"


def _capsules(body: HandBody, joint: int) -> str:
    def text(capsule: Capsule) -> str:
        ends = _numbers(np.concatenate([capsule.start, capsule.end]))
        return f'<geom class="hand" fromto="{ends}" size="{capsule.radius:.6g}" mass="{FINGER_MASS if joint else PALM_MASS}"/>'

    return "".join(text(capsule) for capsule in body.capsules if capsule.joint == joint)


def _actuators(drive: Drive) -> str:
    """Position actuators without velocity term, in the order of the coordinates: slides, ball or hinges of the wrist, fingers."""

    def text(joint: str, gain: float, extra: str = "") -> str:
        return f'<general joint="{joint}" {extra} gaintype="fixed" gainprm="{gain}" biastype="affine" biasprm="0 {-gain}"/>'

    force = f'forcelimited="true" forcerange="{-drive.wrist_force} {drive.wrist_force}"' if drive.wrist_force else ""
    slides = [text(f"slide{i}", drive.wrist_position[0], force) for i in range(3)]
    if drive.hinged:
        turns = [text(f"turn{i}", drive.wrist_rotation[0]) for i in range(3)]
    else:
        turns = [text("ball", drive.wrist_rotation[0], f'gear="{gear}"') for gear in ("1 0 0", "0 1 0", "0 0 1")]
    return "".join(slides + turns + [text(f"hinge{i}", drive.fingers[0]) for i in range(45)])


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.7g}" for value in np.ravel(values))
