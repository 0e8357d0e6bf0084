"""A clip with its conditions, exact flow and shaded pictures, which are what a perfect generator would make."""

from dataclasses import replace
from functools import cache

from pam_nodes.conditions.look import Look
from pam_nodes.conditions.modalities import optical_flow
from pam_nodes.conditions.render import film, motion_points
from pam_nodes.geometry.camera_build import auto_frame

from ..grasp.motions import walk

LOOK = Look(skin=(0.88, 0.68, 0.56), object_color=(0.12, 0.30, 0.75), supersample=2)


@cache
def perfect(side="right", length=6, size=(240, 160), azimuth=20.0):
    """(conditions with flow, (T, H, W, 3) uint8 pictures) of a hand that moves above a blue box."""
    trajectory = walk(length, fps=15.0, side=side, speed=0.4)
    camera = auto_frame(motion_points(trajectory), azimuth, 30.0, 35.0, *size, 0.06)
    conditions, pictures = film(trajectory, camera, look=LOOK)
    return replace(conditions, flow=optical_flow(trajectory, camera)), pictures
