"""A shaded picture of a scene on a table, from the same visibility pass as the condition pictures.

It is the preview people see, and the "photograph" of the training scenes. Light is summed in linear RGB: one lamp (wrapped diffuse,
Blinn-Phong highlight, shadow map) and a sky that is brighter above than below. What does not move - wall, table, lamp - is worked out once.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..geometry.camera import Camera
from ..geometry.camera_lens import resized_camera
from .look import Look, sky, table_pattern, to_linear, to_srgb, wall_light
from .raster import seen
from .scene import Scene, View
from .surface import pixel_rays
from .transform import F, transform

SHADOW_TEXELS = 640
SHADOW_BIAS = 0.004
"""Metres towards the lamp: less speckles surfaces with their own shadow, more detaches shadows from fingers."""
TAPS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]


class Studio:
    """Draws the frames of one scene from one camera."""

    def __init__(self, scene: Scene, camera: Camera, look: Look):
        self.scene, self.camera, self.look = scene, camera, look
        self.fine = resized_camera(camera, look.supersample * camera.width, look.supersample * camera.height)
        self.lamp = Lamp(look, *scene.bounds())
        self.materials = materials(scene, look)

    @cached_property
    def _still(self) -> Backdrop:
        return Backdrop(self.fine, 0, self.look, self.lamp)

    def prepare(self) -> None:
        """Work out what all frames share, before threads ask for it at once."""
        if self._stands_still:
            _ = self._still

    @property
    def _stands_still(self) -> bool:
        """Whether every frame has the same backdrop."""
        return self.fine.length is None and (self.look.background is None or len(self.look.background) == 1)

    def frame(self, frame: int, view: View | None = None) -> np.ndarray:
        """(H, W, 3) uint8 sRGB of one frame; view: the frame as the camera sees it, if that is known."""
        if view is None or self.look.supersample > 1:
            view = self.scene.view(frame, self.fine)
        backdrop = self._still if self._stands_still else Backdrop(self.fine, frame, self.look, self.lamp)
        shadow = self.lamp.shadow_map(self.scene, frame)
        linear = backdrop.lit(self.lamp, shadow)
        self._draw_meshes(linear, frame, view, shadow)
        n, height, width = self.look.supersample, self.camera.height, self.camera.width
        if n > 1:
            linear = linear.reshape(height, n, width, n, 3).mean(axis=(1, 3))
        return to_srgb(linear).reshape(height, width, 3)

    def _draw_meshes(self, linear: np.ndarray, frame: int, view: View, shadow: np.ndarray) -> None:
        """Paint hands and objects over the backdrop: what the conditions show is never hidden."""
        pose = self.fine.at(frame).astype(F)
        back = pose[:3, :3].T
        normals = turn(view.normals, back)
        points = turn(view.surface.rays * view.surface.z[:, None] - pose[:3, 3], back)
        to_eye = turn(-view.surface.rays, back)
        to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)

        lamp = self.lamp
        base, wrap, gloss, sharpness = (table[view.instance] for table in self.materials)
        lit = lamp.reaches(points + normals * F(0.0015), shadow)
        facing = (normals * lamp.direction).sum(axis=1)
        diffuse = np.clip((facing[:, None] + wrap) / (1 + wrap), 0, None) * lit[:, None]
        halfway = to_eye + lamp.direction
        halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
        highlight = gloss * np.clip((normals * halfway).sum(axis=1), 0, None) ** sharpness * lit * (facing > 0)
        light = lamp.strength * diffuse + sky(normals[:, 2], self.look)
        linear[view.surface.pixels] = base * light + (lamp.strength * highlight)[:, None]


class Lamp:
    """The lamp, far away along the light's direction; its shadow map is a picture of the scene taken from there.

    The map frames the bounds of the whole clip, so its texels do not swim from frame to frame.
    """

    def __init__(self, look: Look, centre: np.ndarray, radius: float):
        self.direction = look.light_direction
        self.strength = F(look.light_strength)
        distance = 12 * radius
        right = np.cross([0.0, 0.0, 1.0], self.direction)
        right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else np.array([1.0, 0.0, 0.0])
        rotation = np.stack([right, np.cross(-self.direction, right), -self.direction])
        self.pose = np.eye(4)
        self.pose[:3, :3] = rotation
        self.pose[:3, 3] = -rotation @ (centre + distance * self.direction)
        self.focal = SHADOW_TEXELS / 2 / (1.05 * radius) * (distance - radius)
        self.middle = (SHADOW_TEXELS - 1) / 2
        self.spread = F(look.shadow_softness / 2 * self.focal / distance)

    def shadow_map(self, scene: Scene, frame: int) -> np.ndarray:
        """(SHADOW_TEXELS, SHADOW_TEXELS) float32 distance along the light to the first surface, infinite where there is none."""
        intrinsics = np.array([[self.focal, 0, self.middle], [0, self.focal, self.middle], [0, 0, 1]])
        keys = scene.keys(frame, self.pose, intrinsics, SHADOW_TEXELS, SHADOW_TEXELS)[1]
        depth = np.full(len(keys), np.inf, F)
        hit, _, z = seen(keys)
        depth[hit] = z
        return depth.reshape(SHADOW_TEXELS, SHADOW_TEXELS)

    def texels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of (N, 3) world points lie in the map, and their (3, M) column, row and largest lit distance."""
        x, y, z = transform(self.pose, points).T
        scale = F(self.focal) / z
        u, v = x * scale + F(self.middle), y * scale + F(self.middle)
        pad, end = self.spread + 1, SHADOW_TEXELS - 2 - self.spread
        inside = np.nonzero((u > pad) & (u < end) & (v > pad) & (v < end))[0]
        return inside, np.stack([u[inside] + F(0.5), v[inside] + F(0.5), z[inside] - F(SHADOW_BIAS)])

    def share(self, texels: np.ndarray, shadow: np.ndarray) -> np.ndarray:
        """(M,) share of the lamp that reaches points in the map, 0..1, averaged over the soft edge."""
        u, v, limit = texels
        columns, rows = ([(w + i * self.spread).astype(np.int32) for i in (-1, 0, 1)] for w in (u, v))
        total = np.zeros(len(u), F)
        for i, j in TAPS:
            total += shadow[rows[j + 1], columns[i + 1]] > limit
        return total / len(TAPS)

    def reaches(self, points: np.ndarray, shadow: np.ndarray) -> np.ndarray:
        """(N,) share of the lamp that reaches world points; all of it outside the map."""
        lit = np.ones(len(points), F)
        inside, texels = self.texels(points)
        lit[inside] = self.share(texels, shadow)
        return lit


class Backdrop:
    """Wall and table of one camera pose, or a picture in their place, without meshes or shadows."""

    def __init__(self, camera: Camera, frame: int, look: Look, lamp: Lamp):
        pose = camera.at(frame).astype(F)
        eye = -turn(pose[None, :3, 3], pose[:3, :3].T)[0]
        v, u = np.divmod(np.arange(camera.width * camera.height), camera.width)
        directions = turn(pixel_rays(u, v, camera.lens(frame)), pose[:3, :3].T)
        self.linear = wall_light(directions, look)
        on_table, points = _table_points(directions, eye, look)
        base = to_linear(look.table or look.wall) * table_pattern(points, look.pattern)[:, None]
        from_lamp = base * (lamp.strength * max(lamp.direction[2], F(0)))
        self.linear[on_table] = base * sky(np.ones(1, F), look) + from_lamp
        if look.background is not None:
            # A shadow takes the lamp's share of the table's light away from the picture.
            share = from_lamp / self.linear[on_table]
            self.linear = _background(look, frame)
            from_lamp = share * self.linear[on_table]
        inside, self.texels = lamp.texels(points)
        self.shaded, self.from_lamp = on_table[inside], from_lamp[inside]

    def lit(self, lamp: Lamp, shadow: np.ndarray) -> np.ndarray:
        """(N, 3) linear light of every pixel with the shadows of one frame."""
        linear = self.linear.copy()
        linear[self.shaded] -= self.from_lamp * (1 - lamp.share(self.texels, shadow))[:, None]
        return linear


def _background(look: Look, frame: int) -> np.ndarray:
    """(N, 3) linear light of the background picture of a frame, its pixels repeated for supersampling."""
    picture = look.background[min(frame, len(look.background) - 1)]
    fine = picture.repeat(look.supersample, axis=0).repeat(look.supersample, axis=1)
    return to_linear(np.arange(256) / 255)[fine.reshape(-1, 3)]


def _table_points(directions: np.ndarray, eye: np.ndarray, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Which view directions meet the table top, and where (world)."""
    if look.table is None or eye[2] <= 0:
        return np.empty(0, np.int64), np.empty((0, 3), F)
    down = np.nonzero(directions[:, 2] < -1e-4)[0]
    points = eye + directions[down] * (-eye[2] / directions[down, 2])[:, None]
    if look.table_size is None:
        return down, points
    on = (np.abs(points[:, :2]) <= np.array(look.table_size, F) / 2).all(axis=1)
    return down[on], points[on]


def materials(scene: Scene, look: Look) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per instance id: linear colour (I, 3), diffuse wrap (I, 3; red light spreads in skin), highlight strength and sharpness (I,)."""
    count = 1 + max(track.instance for track in scene.tracks)
    base, wrap = np.zeros((count, 3), F), np.zeros((count, 3), F)
    gloss, sharpness = np.zeros(count, F), np.zeros(count, F)
    for track in scene.tracks:
        i = track.instance
        if track.color is None:
            base[i], wrap[i], gloss[i], sharpness[i] = to_linear(look.skin), (0.35, 0.22, 0.17), 0.06, 18
        else:
            base[i], wrap[i], gloss[i], sharpness[i] = to_linear(look.object_color or track.color), 0.05, look.gloss, 45
    return base, wrap, gloss, sharpness


def turn(vectors: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Rotate (N, 3) vectors by (3, 3), with plain multiply-adds as in ``raster.transform``."""
    x, y, z = vectors.T
    r = rotation.astype(F)
    return np.stack([r[i, 0] * x + r[i, 1] * y + r[i, 2] * z for i in range(3)], axis=1)
