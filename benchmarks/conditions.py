"""Time of the pictures made of the rendered buffers, and of the further modalities.

Run from the repository root: python -m benchmarks.conditions [--frames 49]. One line each: milliseconds a frame by the clock and by the
processor, best of several runs, at 720x480 with one moving hand and an object of 5,000 faces seen by a moving camera.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.rasterizer import scene, timed
from pam_nodes.conditions.clip import render_clip
from pam_nodes.conditions.contact import render_contact
from pam_nodes.conditions.depth import colorize_depth, depth_range, grey_depth
from pam_nodes.conditions.flow import colorize_flow, render_flow
from pam_nodes.conditions.hand_keypoints import KeypointLook, draw_keypoints, project_hands, with_occlusion
from pam_nodes.conditions.pack import to_float
from pam_nodes.conditions.scene import Scene
from pam_nodes.conditions.segmentation import colorize_instances, instance_colors
from pam_nodes.conditions.tracking import TrackingLook, render_tracking
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.geometry.camera_path import CameraMove, end_keys, moving_camera

TARGET = np.array([0, -0.03, 0.08])
GOALS = {"key points, PAM": 1.0, "palette": 2.0, "depth, PAM": 2.0}
"""Milliseconds a frame that were asked for."""


def main() -> None:
    """Print one line for each picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    count = options.frames
    for distance in (0.75, 0.195):
        camera = orbit_camera(TARGET, distance, 20, 35, 40, 720, 480)
        camera = moving_camera(camera, TARGET, CameraMove(end_keys(orbit=60)), count, 15.0)
        tracks, joints = scene(5000, count)
        frames = render_clip(tracks, camera, {"depth", "ids"})
        print(f"{count} frames 720x480, {100 * (frames.instance_ids > 0).mean():.0f} % covered")
        for name, work in pictures(frames, joints, camera, count).items():
            report(name, work, count, options.repeat)
        if distance > 0.5:
            for name, work in modalities(Scene(tracks), camera, count).items():
                report(name, work, count, 2)


def pictures(frames, joints, camera, count: int) -> dict:
    """What is made of buffers that are there already."""
    colors, limits = instance_colors(1, [14]), depth_range(frames.depth)
    points = project_hands([joints], ["right"], camera, count)
    grey = frames.instance_ids[..., None].repeat(3, axis=3)
    return {
        "depth, PAM": lambda: colorize_depth(frames.depth),
        "depth range alone": lambda: depth_range(frames.depth),
        "depth, grey": lambda: grey_depth(frames.depth, limits),
        "palette": lambda: colorize_instances(frames.instance_ids, colors),
        "key points, PAM": lambda: draw_keypoints(points),
        "key points, OpenPose": lambda: draw_keypoints(points, KeypointLook("openpose")),
        "projection and occlusion": lambda: with_occlusion(
            project_hands([joints], ["right"], camera, count), frames.depth, frames.instance_ids
        ),
        "one IMAGE of bytes": lambda: to_float(grey),
    }


def modalities(scene: Scene, camera, count: int) -> dict:
    """What draws anew, rendering included."""
    flow = render_flow(scene, camera, count)
    return {
        "optical flow": lambda: render_flow(scene, camera, count),
        "optical flow with table": lambda: render_flow(scene, camera, count, table=True),
        "colours of flow": lambda: colorize_flow(flow.flow, flow.state),
        "tracking, points": lambda: render_tracking(scene, camera, count, TrackingLook("points")),
        "tracking, dense": lambda: render_tracking(scene, camera, count, TrackingLook("dense")),
        "contact map": lambda: render_contact(scene, 1, camera, count),
    }


def report(name: str, work, count: int, repeat: int) -> None:
    """Time something and say whether it is as fast as was asked for."""
    wall, cpu, _ = timed(work, repeat)
    goal = GOALS.get(name)
    verdict = "" if goal is None else f"   goal {goal:.0f} ms: {'met' if 1000 * cpu / count < goal else 'NOT MET'}"
    print(f"  {name:26} {1000 * wall / count:8.2f} ms {1000 * cpu / count:8.2f} cpu ms{verdict}")


if __name__ == "__main__":
    main()
