"""A clip with its conditions, exact flow and shaded pictures, which are what a perfect generator would make."""

from dataclasses import replace
from functools import cache

import numpy as np

from pam_nodes.conditions.film import film
from pam_nodes.conditions.look import Look
from pam_nodes.conditions.modalities import optical_flow
from pam_nodes.conditions.render import motion_points
from pam_nodes.geometry.camera_build import auto_frame
from pam_nodes.grasp.trajectory import Trajectory

from ..grasp.motions import walk

LOOK = Look(skin=(0.88, 0.68, 0.56), object_color=(0.12, 0.30, 0.75), supersample=2)


@cache
def two_hands():
    """(conditions, (1, H, W, 3) uint8 picture) of a right and a left hand side by side, without objects."""
    right, left = (walk(1, side=side).hands[0] for side in ("right", "left"))
    left = replace(left, pose=replace(left.pose, transl=left.pose.transl + np.array([[0.0, 0.25, 0.0]], np.float32)))
    trajectory = Trajectory((right, left), (), 15.0)
    camera = auto_frame(motion_points(trajectory), 20.0, 40.0, 35.0, 320, 240, 0.1)
    return film(trajectory, camera, look=LOOK)


@cache
def perfect(side="right", length=6, size=(240, 160), azimuth=20.0):
    """(conditions with flow, (T, H, W, 3) uint8 pictures) of a hand that moves above a blue box."""
    trajectory = walk(length, fps=15.0, side=side, speed=0.4)
    camera = auto_frame(motion_points(trajectory), azimuth, 30.0, 35.0, *size, 0.06)
    conditions, pictures = film(trajectory, camera, look=LOOK)
    return replace(conditions, flow=optical_flow(trajectory, camera)), pictures
