"""A shaded picture of a scene on a table, from the same visibility pass as the condition pictures.

It is the preview people see, and the "photograph" of the training scenes, so its look is a value of its own (``Look``). Light is summed in
linear RGB: one lamp (wrapped diffuse, Blinn-Phong highlight, shadow map) and a sky that is brighter above than below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..geometry.camera import Camera
from .raster import EMPTY, F, pixel_rays, rasterize, transform
from .scene import Scene

Color = tuple[float, float, float]
SKIN_TONES = {
    "light": (0.93, 0.77, 0.68),
    "medium": (0.86, 0.67, 0.56),
    "tan": (0.72, 0.52, 0.40),
    "brown": (0.52, 0.35, 0.26),
    "dark": (0.36, 0.24, 0.18),
}
PATTERNS = ("plain", "wood", "tiles")
SHADOW_TEXELS = 640
SHADOW_BIAS = 0.004
"""Metres towards the lamp: less speckles surfaces with their own shadow, more detaches shadows from fingers."""
TAPS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]


@dataclass(frozen=True)
class Look:
    """How a scene is lit and coloured. Colours are sRGB in 0..1.

    Attributes:
        skin: colour of hands.
        object_color: colour of every object, or None for each mesh's own.
        table: colour of the table top (z = 0), or None for no table.
        pattern: one of ``PATTERNS``.
        table_size: full width (x) and depth (y) in metres, centred on the origin, or None for a table without end.
        wall: colour behind the table.
        light_azimuth, light_elevation: where the lamp stands, degrees; azimuth as in ``orbit_camera``.
        light_strength, ambient: brightness of lamp and sky.
        gloss: strength of the objects' highlight.
        shadow_softness: width of the shadow's edge, metres.
        supersample: pixels are drawn at this multiple and averaged, for smooth edges.
    """

    skin: Color = SKIN_TONES["medium"]
    object_color: Color | None = None
    table: Color | None = (0.62, 0.60, 0.57)
    pattern: str = "plain"
    table_size: tuple[float, float] | None = (1.8, 1.2)
    wall: Color = (0.80, 0.82, 0.84)
    light_azimuth: float = -40.0
    light_elevation: float = 55.0
    light_strength: float = 0.85
    ambient: float = 0.42
    gloss: float = 0.22
    shadow_softness: float = 0.006
    supersample: int = 1

    @property
    def light_direction(self) -> np.ndarray:
        """(3,) unit vector from the scene to the lamp, world."""
        azimuth, elevation = np.radians([self.light_azimuth, self.light_elevation])
        return np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)], F)


def shade_frame(scene: Scene, frame: int, camera: Camera, look: Look, bounds: tuple[np.ndarray, float]) -> np.ndarray:
    """Draw one frame.

    Args:
        scene: the meshes.
        frame: index.
        camera: picture size and pose.
        look: light and colours.
        bounds: ``scene.bounds()`` of the whole clip; it frames the shadow map, which must not move from frame to frame.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    fine = enlarged(camera, look.supersample)
    rays = pixel_rays(*_grid(fine), fine.intrinsics)
    pose = fine.at(frame).astype(F)
    eye = -pose[:3, :3].T @ pose[:3, 3]
    directions = _turn(rays, pose[:3, :3].T)
    lamp = _Lamp(scene, frame, look, bounds)

    linear = _wall(directions, look)
    _draw_table(linear, directions, eye, look, lamp)
    _draw_meshes(linear, scene, frame, fine, pose, look, lamp)

    if look.supersample > 1:
        n = look.supersample
        linear = linear.reshape(camera.height, n, camera.width, n, 3).mean(axis=(1, 3))
    return to_srgb(linear).reshape(camera.height, camera.width, 3)


def enlarged(camera: Camera, factor: int) -> Camera:
    """The same view with ``factor`` times the pixels each way; sub-pixels stay centred on the pixel they replace."""
    if factor == 1:
        return camera
    scale = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])
    return Camera(scale @ camera.intrinsics, camera.world_to_camera, camera.width * factor, camera.height * factor)


def to_linear(color: Color) -> np.ndarray:
    """sRGB in 0..1 to linear light, (3,) float32 (IEC 61966-2-1)."""
    c = np.asarray(color, F)
    return np.where(c <= 0.04045, c / F(12.92), ((c + F(0.055)) / F(1.055)) ** F(2.4)).astype(F)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light to 8-bit sRGB, cut at white."""
    index = np.clip(linear, 0, 1) * F(4095)
    return _srgb_table()[index.astype(np.uint16)]


@cache
def _srgb_table() -> np.ndarray:
    """8-bit sRGB of 4096 steps of linear light."""
    c = np.arange(4096) / 4095
    return np.rint(255 * np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)).astype(np.uint8)


class _Lamp:
    """The lamp of one frame with its shadow map: a picture of the scene taken from far along the light."""

    def __init__(self, scene: Scene, frame: int, look: Look, bounds: tuple[np.ndarray, float]):
        centre, radius = bounds
        self.direction = look.light_direction
        self.strength = F(look.light_strength)
        distance = 12 * radius
        right = np.cross([0.0, 0.0, 1.0], self.direction)
        right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else np.array([1.0, 0.0, 0.0])
        rotation = np.stack([right, np.cross(-self.direction, right), -self.direction])
        self.pose = np.eye(4)
        self.pose[:3, :3] = rotation
        self.pose[:3, 3] = -rotation @ (centre + distance * self.direction)
        focal = SHADOW_TEXELS / 2 / (1.05 * radius) * (distance - radius)
        middle = (SHADOW_TEXELS - 1) / 2
        self.intrinsics = np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1]])
        self.spread = F(look.shadow_softness / 2 * focal / distance)
        keys = rasterize(transform(self.pose, scene.at(frame)[0]), scene.faces, self.intrinsics, SHADOW_TEXELS, SHADOW_TEXELS)
        depth = np.full(len(keys), np.inf, F)
        seen = keys != EMPTY
        depth[seen] = (keys[seen] >> 32).astype(np.int32).view(F)
        self.depth = depth.reshape(SHADOW_TEXELS, SHADOW_TEXELS)

    def reaches(self, points: np.ndarray) -> np.ndarray:
        """(N,) share of the lamp that world points (N, 3) see, 0..1."""
        lit = np.ones(len(points), F)
        x, y, z = transform(self.pose, points).T
        u = x / z * F(self.intrinsics[0, 0]) + F(self.intrinsics[0, 2])
        v = y / z * F(self.intrinsics[0, 0]) + F(self.intrinsics[0, 2])
        pad = self.spread + 1
        near = np.nonzero((u > pad) & (u < SHADOW_TEXELS - 1 - pad) & (v > pad) & (v < SHADOW_TEXELS - 1 - pad))[0]
        u, v, limit = u[near] + F(0.5), v[near] + F(0.5), z[near] - F(SHADOW_BIAS)
        total = np.zeros(len(near), F)
        for i, j in TAPS:
            total += self.depth[(v + j * self.spread).astype(np.int32), (u + i * self.spread).astype(np.int32)] > limit
        lit[near] = total / len(TAPS)
        return lit


def _sky(up: np.ndarray, look: Look) -> np.ndarray:
    """Sky light on surfaces whose normal has the world height ``up`` (N,): white from above, the table's colour from below."""
    bounce = to_linear(look.table or look.wall) * F(0.55)
    mix = (F(0.5) + F(0.5) * up)[:, None]
    return F(look.ambient) * (mix + (1 - mix) * bounce)


def _wall(directions: np.ndarray, look: Look) -> np.ndarray:
    """Background: the wall colour, a little darker towards the floor."""
    height = directions[:, 2] / np.linalg.norm(directions, axis=1)
    return to_linear(look.wall) * (F(0.78) + F(0.3) * np.clip(height + F(0.3), -1, 1))[:, None].astype(F)


def _draw_table(linear: np.ndarray, directions: np.ndarray, eye: np.ndarray, look: Look, lamp: _Lamp) -> None:
    """Paint the table where rays meet z = 0 within its size, with the shadow on it."""
    if look.table is None or eye[2] <= 0:
        return
    down = np.nonzero(directions[:, 2] < -1e-4)[0]
    points = eye + directions[down] * (-eye[2] / directions[down, 2])[:, None]
    if look.table_size is not None:
        on = (np.abs(points[:, :2]) <= np.array(look.table_size, F) / 2).all(axis=1)
        down, points = down[on], points[on]
    diffuse = lamp.strength * max(lamp.direction[2], 0) * lamp.reaches(points)
    light = diffuse[:, None] + _sky(np.ones(1, F), look)
    linear[down] = to_linear(look.table) * _pattern(points, look.pattern)[:, None] * light


def _pattern(points: np.ndarray, pattern: str) -> np.ndarray:
    """Brightness of the table's material at world points, around 1."""
    x, y = points[:, 0], points[:, 1]
    if pattern == "wood":
        plank = np.floor(y / F(0.11))
        shift = np.sin(plank * F(12.9898)) * F(43.7)
        shift -= np.floor(shift)
        grain = np.sin(y * F(310) + F(5) * np.sin(x * F(6) + shift * F(20)) + shift * F(40))
        seam = np.abs(y / F(0.11) - np.rint(y / F(0.11))) < F(0.012)
        return (F(0.9) + F(0.16) * shift + F(0.05) * grain) * np.where(seam, F(0.7), F(1))
    if pattern == "tiles":
        return np.where((np.floor(x / F(0.1)) + np.floor(y / F(0.1))) % 2 == 0, F(1.08), F(0.88))
    if pattern == "plain":
        return np.ones(len(points), F)
    raise ValueError(f'Expected the table pattern "plain", "wood" or "tiles", found "{pattern}".')


def _draw_meshes(linear: np.ndarray, scene: Scene, frame: int, camera: Camera, pose: np.ndarray, look: Look, lamp: _Lamp) -> None:
    """Paint hands and objects over the table: what the conditions show is never hidden."""
    view = scene.view(frame, camera)
    if not len(view.instance):
        return
    back = pose[:3, :3].T
    normals = _turn(view.normals, back)
    points = _turn(view.surface.rays * view.surface.z[:, None] - pose[:3, 3], back)
    to_eye = _turn(-view.surface.rays, back)
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)

    base, wrap, gloss, sharpness = (table[view.instance] for table in _materials(scene, look))
    lit = lamp.reaches(points + normals * F(0.0015))
    facing = (normals * lamp.direction).sum(axis=1)
    diffuse = np.clip((facing[:, None] + wrap) / (1 + wrap), 0, None) * lit[:, None]
    halfway = to_eye + lamp.direction
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    highlight = gloss * np.clip((normals * halfway).sum(axis=1), 0, None) ** sharpness * lit * (facing > 0)
    light = lamp.strength * diffuse + _sky(normals[:, 2], look)
    linear[view.surface.pixels] = base * light + (lamp.strength * highlight)[:, None]


def _materials(scene: Scene, look: Look) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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


def _turn(vectors: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Rotate (N, 3) vectors by (3, 3), with plain multiply-adds as in ``raster.transform``."""
    x, y, z = vectors.T
    r = rotation.astype(F)
    return np.stack([r[i, 0] * x + r[i, 1] * y + r[i, 2] * z for i in range(3)], axis=1)


def _grid(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of every pixel, flat."""
    v, u = np.divmod(np.arange(camera.width * camera.height), camera.width)
    return u, v
