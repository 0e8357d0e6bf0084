"""The span rasteriser as compiled loops, for machines where numba is installed: the same bits as ``raster``, several times faster.

numba is never required. The first call compiles for some seconds and keeps the result beside the module, or in numba's own cache folder.
"""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np

from .raster import EDGE, EMPTY, clip_near, projected
from .surface import THIN
from .transform import F

ONE, ZERO, HALF = F(1), F(0), F(127.5)


@cache
def kernels():
    """The compiled ``_fill`` and ``_shade``; raises ImportError without a working numba."""
    import numba

    def compiled(function):
        # Kept code names the module it was compiled in, and a host imports the pack under another name: each name keeps its own.
        function.__qualname__ = f"{function.__name__}_{zlib.crc32(__name__.encode()):08x}"
        try:
            return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
        except RuntimeError:  # no folder to keep the compiled code in
            return numba.njit(nogil=True, error_model="numpy")(function)

    return compiled(_fill), compiled(_shade)


def rasterize(
    vertices: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray, width: int, height: int, buffer: np.ndarray | None = None
) -> np.ndarray:
    """Like ``raster.rasterize``."""
    buffer = np.empty(height * width, np.int64) if buffer is None else buffer
    buffer.fill(EMPTY)
    vertices, faces, owners = clip_near(vertices, faces)
    x, y, w = projected(vertices, intrinsics)
    kernels()[0](x, y, w, *(np.ascontiguousarray(corner) for corner in faces.T), owners, width, height, buffer)
    return buffer


def _fill(x, y, w, first, second, third, owners, width, height, buffer):
    """``raster._set_up`` and ``raster._draw``, one triangle at a time and operation by operation the same."""
    last_column, last_row = F(width - 1), F(height - 1)
    for t in range(len(first)):
        a, b, c = first[t], second[t], third[t]
        y0, y1, y2 = y[a], y[b], y[c]
        top = max(np.ceil(min(min(y0, y1), y2)), ZERO)
        rows = min(np.floor(max(max(y0, y1), y2)), last_row) - top
        if rows < ZERO:
            continue
        x0, x1, x2 = x[a], x[b], x[c]
        left = max(np.ceil(min(min(x0, x1), x2)), ZERO)
        columns = min(np.floor(max(max(x0, x1), x2)), last_column) - left
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if columns < ZERO or area == ZERO:
            continue
        inverse = ONE / area
        b1_u, b1_v, b2_u, b2_v = (y2 - y0) * inverse, (x0 - x2) * inverse, (y0 - y1) * inverse, (x1 - x0) * inverse
        d1, d2 = w[b] - w[a], w[c] - w[a]
        du, dv = left - x0, top - y0
        b1, b2 = du * b1_u + dv * b1_v, du * b2_u + dv * b2_v
        b0, b0_u, b0_v = ONE - b1 - b2, -b1_u - b2_u, -b1_v - b2_v
        per0 = -ONE / b0_u if b0_u != ZERO else ZERO
        per1 = -ONE / b1_u if b1_u != ZERO else ZERO
        per2 = -ONE / b2_u if b2_u != ZERO else ZERO
        cross0, cross1, cross2 = b0 * per0, b1 * per1, b2 * per2
        step0, step1, step2 = b0_v * per0, b1_v * per1, b2_v * per2
        value, w_u, w_v = w[a] + b1 * d1 + b2 * d2, b1_u * d1 + b2_u * d2, b1_v * d1 + b2_v * d2
        for row in range(int(rows) + 1):
            low, high, r = ZERO, columns, F(row)
            column = step0 * r + cross0
            if b0_u >= ZERO:
                low = max(low, column)
            else:
                high = min(high, column)
            column = step1 * r + cross1
            if b1_u >= ZERO:
                low = max(low, column)
            else:
                high = min(high, column)
            column = step2 * r + cross2
            if b2_u >= ZERO:
                low = max(low, column)
            else:
                high = min(high, column)
            low, high = np.ceil(low - EDGE), np.floor(high + EDGE)
            if high < low:
                continue
            at = value + w_v * r + w_u * low
            pixel = (int(top) + row) * width + int(left + low)
            for k in range(int(high - low) + 1):
                z = F(ONE / (w_u * F(k) + at))
                key = (np.int64(z.view(np.int32)) << 32) | owners[t]
                if key < buffer[pixel + k]:
                    buffer[pixel + k] = key


def shade(buffer: np.ndarray, scene, vertices: np.ndarray, frame: int, camera, frames, row: int) -> None:
    """Write what a visibility buffer shows into one frame of the clip's arrays.

    Args:
        buffer: (H * W,) int64 keys.
        scene: the ``Scene`` that was drawn.
        vertices: (V, 3) float32 of all meshes, camera frame.
        frame: of the scene.
        camera: that saw it.
        frames: ``Frames`` to write to, all zero where nothing is hit; depth, ids and normals where they are not None.
        row: which frame of ``frames``.
    """
    depth, ids, normals = (_flat(array, row, kind) for array, kind in zip(frames.buffers, (F, np.uint8, np.uint8), strict=True))
    lens = [F(camera.intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2))]
    for track, first, vertex in zip(scene.tracks, scene.first_face, scene.first_vertex, strict=False):
        rotation = track.rotation(frame, camera.at(frame)).astype(F)
        part = vertices[vertex:].T
        directions = track.normals if track.poses is not None else track.normals[frame]
        mesh = (track.faces, part, directions, track.normal_faces, rotation)
        kernels()[1](buffer, first, *mesh, *lens, camera.width, track.instance, depth, ids, normals)


def _flat(array: np.ndarray | None, row: int, kind: type) -> np.ndarray:
    """One frame as a flat array, empty where it is not wanted."""
    return np.empty(0, kind) if array is None else array[row].reshape(-1)


def _shade(buffer, first, faces, points, directions, corners, rotation, fx, fy, cx, cy, width, instance, depth, ids, normals):
    """``surface.surface_normals`` a pixel at a time, for the pixels of one mesh."""
    for pixel in range(len(buffer)):
        key = buffer[pixel]
        face = (key & 0xFFFFFFFF) - first
        if key == EMPTY or face < 0 or face >= len(faces):
            continue
        if len(depth):
            depth[pixel] = np.int32(key >> 32).view(np.float32)
        if len(ids):
            ids[pixel] = instance
        if not len(normals):
            continue
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        u, v = (F(pixel % width) - cx) / fx, (F(pixel // width) - cy) / fy
        ax, ay, az = points[0, a], points[1, a], points[2, a]
        px, py, pz = points[0, b] - ax, points[1, b] - ay, points[2, b] - az
        qx, qy, qz = points[0, c] - ax, points[1, c] - ay, points[2, c] - az
        nx, ny, nz = qy * pz - qz * py, qz * px - qx * pz, qx * py - qy * px
        whole = nx * u + ny * v + nz
        b1 = (ay * qz - az * qy) * u + (az * qx - ax * qz) * v + (ax * qy - ay * qx)
        b2 = (py * az - pz * ay) * u + (pz * ax - px * az) * v + (px * ay - py * ax)
        longest = np.sqrt(max(px * px + py * py + pz * pz, qx * qx + qy * qy + qz * qz))
        if abs(ax * nx + ay * ny + az * nz) * fx < THIN * az * az * longest:
            b0, b1, b2 = whole, whole, whole
        else:
            b0 = whole - b1 - b2
        i, j, k = corners[face, 0], corners[face, 1], corners[face, 2]
        x = b0 * directions[i, 0] + b1 * directions[j, 0] + b2 * directions[k, 0]
        y = b0 * directions[i, 1] + b1 * directions[j, 1] + b2 * directions[k, 1]
        z = b0 * directions[i, 2] + b1 * directions[j, 2] + b2 * directions[k, 2]
        scale = HALF / (np.sqrt(x * x + y * y + z * z) + F(1e-30))
        normals[3 * pixel] = np.uint8((rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z) * scale + F(128))
        normals[3 * pixel + 1] = np.uint8(F(128) - (rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z) * scale)
        normals[3 * pixel + 2] = np.uint8(F(128) - (rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z) * scale)
