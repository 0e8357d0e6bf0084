"""The MuJoCo model of a right hand, one object and the table, as text."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .collision import CollisionShape
from .hand_body import FINGER_MASS, PALM_MASS, Capsule, HandBody

TIMESTEP = 0.0025
"""Seconds of one physics step (specs: graspxl 9)."""

WRIST_POSITION_GAINS = (4000.0, 240.0)
"""Stiffness N/m and damping N s/m that carry the wrist (specs: graspxl 10)."""

WRIST_ROTATION_GAINS = (200.0, 6.0)
"""Stiffness N m/rad and damping N m s/rad that turn the wrist."""

FINGER_GAINS = (10.0, 0.3)
"""Stiffness and damping of each finger hinge, N m/rad and N m s/rad."""


def implicit_pd(stiffness: float, damping: float) -> tuple[float, float]:
    """(armature, damping) of a joint that makes explicit Euler with a position actuator equal to an implicit PD law.

    ``(M + h D + h^2 P) dv = h (P e - (D + h P) v)``, so that the contact solver sees the same effective inertia (specs: graspxl 9).
    """
    return TIMESTEP * damping + TIMESTEP**2 * stiffness, damping + TIMESTEP * stiffness


def scene_xml(body: HandBody, limits: np.ndarray, shape: CollisionShape, mass: float) -> str:
    """MJCF of the scene.

    Args:
        body: the hand.
        limits: (45, 2) hinge bounds, radians.
        shape: the object.
        mass: of the object, kg.

    Returns:
        The model. Coordinates in this order: wrist slides (3) and ball joint, 45 finger hinges, free object.
        Collisions: hand with object and object with table; the hand never touches the table or itself (specs: graspxl 4).
    """
    meshes = "".join(f'<mesh name="piece{i}" vertex="{_numbers(piece)}"/>' for i, piece in enumerate(shape.pieces))
    geoms = "".join(f'<geom class="object" type="mesh" mesh="piece{i}"/>' for i in range(len(shape.pieces)))
    inertia = shape.unit_inertia * mass
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
  <body name="wrist" gravcomp="1">
    {_wrist_joints()}{_capsules(body, 0)}
    {"".join(_finger(body, limits, first) for first in (1, 4, 7, 10, 13))}
  </body>
  <body name="object"><freejoint/>
    <inertial pos="{_numbers(shape.center_of_mass)}" mass="{mass:.6g}" fullinertia="{_numbers(full)}"/>{geoms}
  </body>
</worldbody>
<actuator>{_actuators()}</actuator>
</mujoco>"""


def _wrist_joints() -> str:
    armature, damping = implicit_pd(*WRIST_POSITION_GAINS)
    slides = "".join(
        f'<joint name="slide{i}" type="slide" axis="{axis}" armature="{armature}" damping="{damping}"/>'
        for i, axis in enumerate(("1 0 0", "0 1 0", "0 0 1"))
    )
    armature, damping = implicit_pd(*WRIST_ROTATION_GAINS)
    return slides + f'<joint name="ball" type="ball" armature="{armature}" damping="{damping}"/>'


def _finger(body: HandBody, limits: np.ndarray, first: int) -> str:
    """Three nested links with three hinges each, from joint ``first`` to the fingertip."""
    armature, damping = implicit_pd(*FINGER_GAINS)
    text = ""
    for joint in range(first, first + 3):
        parent = 0 if joint == first else joint - 1
        text += f'<body name="link{joint}" gravcomp="1" pos="{_numbers(body.joints[joint] - body.joints[parent])}">'
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


def _actuators() -> str:
    """Position actuators without velocity term, in the order of the coordinates: slides, ball, hinges."""

    def text(joint: str, gain: float, gear: str = "1") -> str:
        return f'<general joint="{joint}" gear="{gear}" gaintype="fixed" gainprm="{gain}" biastype="affine" biasprm="0 {-gain}"/>'

    slides = [text(f"slide{i}", WRIST_POSITION_GAINS[0]) for i in range(3)]
    ball = [text("ball", WRIST_ROTATION_GAINS[0], gear) for gear in ("1 0 0", "0 1 0", "0 0 1")]
    return "".join(slides + ball + [text(f"hinge{i}", FINGER_GAINS[0]) for i in range(45)])


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.7g}" for value in np.ravel(values))
