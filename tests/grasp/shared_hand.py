"""The hand of GraspXL's URDF, as an oracle: MANO's rest joints, limits and collision shapes as its authors wrote them."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pam_nodes.grasp.hand_body import Capsule, HandBody
from pam_nodes.hands.joints import MANO_FINGERS

FILE = "data/graspxl/hand/rhand_mano_low_mass.urdf"


def numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in text.split()])


def urdf_body(shared: Path) -> HandBody:
    """HandBody of the URDF; its palm box becomes four capsules as thick as the box."""
    root = ET.parse(shared / FILE).getroot()
    links = {link.get("name"): link for link in root.findall("link")}
    joints = {joint.get("name"): joint for joint in root.findall("joint")}
    rest, tips, capsules, limits = np.zeros((16, 3)), np.zeros((5, 3)), [], []
    capsules += shapes(links["right_wrist_rz"], 0)
    for finger, name in enumerate(MANO_FINGERS):
        for i in (1, 2, 3):
            joint = 3 * finger + i
            origin = numbers(joints[f"right_{name}{i}_x"].find("origin").get("xyz"))
            rest[joint] = rest[0 if i == 1 else joint - 1] + origin
            bounds = [joints[f"right_{name}{i}_{axis}"].find("limit") for axis in "xyz"]
            limits += [(float(bound.get("lower")), float(bound.get("upper"))) for bound in bounds]
            capsules += shapes(links[f"right_{name}{i}_z"], joint)
        tips[finger] = rest[3 * finger + 3] + numbers(joints[f"right_{name}_tip"].find("origin").get("xyz"))
    return HandBody(rest, tips, tuple(capsules), np.array(limits))


def link_masses(shared: Path) -> float:
    """Kilograms of all links."""
    return sum(float(mass.get("value")) for mass in ET.parse(shared / FILE).getroot().iter("mass"))


def shapes(link: ET.Element, joint: int) -> list[Capsule]:
    found = []
    for collision in link.findall("collision"):
        origin, shape = collision.find("origin"), collision.find("geometry")[0]
        turn, place = Rotation.from_euler("xyz", numbers(origin.get("rpy"))).as_matrix(), numbers(origin.get("xyz"))
        if shape.tag == "box":
            size = numbers(shape.get("size"))
            thin, middle, longest = np.argsort(size)
            radius, reach, off = size[thin] / 2, np.zeros(3), np.zeros(3)
            reach[longest] = size[longest] / 2 - radius
            for share in np.linspace(-1, 1, 4):
                off[middle] = share * (size[middle] / 2 - radius)
                found.append(Capsule(joint, place + turn @ (off - reach), place + turn @ (off + reach), radius))
        else:
            half = turn @ np.array([0, 0, float(shape.get("length")) / 2])
            found.append(Capsule(joint, place - half, place + half, float(shape.get("radius"))))
    return found
