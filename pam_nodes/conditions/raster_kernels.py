"""The compiled loops of ``raster_numba``: triangles to keys, keys to hit pixels, hit pixels to pictures.

Imports numba, so only who draws with it imports this. The first call compiles for some seconds and keeps the result beside the module, or
in numba's own cache folder.
"""

from __future__ import annotations

import zlib

import numba
import numpy as np

from .raster import EDGE, EMPTY
from .surface import THIN
from .transform import F
from .triangles import LEAST

TILE = 8
LARGE = F(16)
"""Pixels of the box of a triangle from which on it is worth asking whether it is hidden."""
ONE, ZERO, HALF, MIDDLE = F(1), F(0), F(127.5), F(128)


# Kept code names the module it was compiled in, and a host imports the pack under another name; and it holds the constants of other files.
KIND = zlib.crc32(repr((__name__, EDGE, EMPTY, LEAST, THIN)).encode())


def compiled(function):
    """``numba.njit`` whose result is kept for the next process."""
    function.__qualname__ = f"{function.__name__}_{KIND:08x}"
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to keep the compiled code in
        return numba.njit(nogil=True, error_model="numpy")(function)


@compiled
def edge(weight, slope, step, columns):
    """Where rows meet an edge, as lower and as upper bounds of their spans: each at the first row, and how far it moves from row to row."""
    per_column = -ONE / slope if slope != ZERO else ZERO
    if slope >= ZERO:
        return weight * per_column, step * per_column, columns, ZERO
    return ZERO, ZERO, weight * per_column, step * per_column


@compiled
def fill(x, y, w, first, second, third, owners, width, height, buffer):
    """``triangles.set_up`` and ``raster._draw``, one triangle at a time and operation by operation the same.

    Large far sides come last, when most of them are hidden; no order changes a key.
    """
    last_column, last_row = F(width - 1), F(height - 1)
    later, kept = np.empty(len(first), np.int64), 0
    tiles = np.empty((0, 0), np.int64)
    for end in (False, True):
        if end:
            tiles = farthest(buffer, width, height) if kept else tiles
        for n in range(kept if end else len(first)):
            t = later[n] if end else n
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
            if columns < ZERO or abs(area) < LEAST:
                continue
            if area > ZERO and not end and (columns + ONE) * (rows + ONE) >= LARGE:
                later[kept] = t
                kept += 1
                continue
            least, most = min(min(w[a], w[b]), w[c]), max(max(w[a], w[b]), w[c])
            if end and hidden(left, top, columns, rows, most, tiles):
                continue
            inverse = ONE / area
            b1_u, b1_v, b2_u, b2_v = (y2 - y0) * inverse, (x0 - x2) * inverse, (y0 - y1) * inverse, (x1 - x0) * inverse
            d1, d2 = w[b] - w[a], w[c] - w[a]
            du, dv = left - x0, top - y0
            b1, b2 = du * b1_u + dv * b1_v, du * b2_u + dv * b2_v
            value, w_u, w_v = w[a] + b1 * d1 + b2 * d2, b1_u * d1 + b2_u * d2, b1_v * d1 + b2_v * d2
            low0, low0_v, high0, high0_v = edge(ONE - b1 - b2, -b1_u - b2_u, -b1_v - b2_v, columns)
            low1, low1_v, high1, high1_v = edge(b1, b1_u, b1_v, columns)
            low2, low2_v, high2, high2_v = edge(b2, b2_u, b2_v, columns)
            owner, start = owners[t], int(top) * width + int(left)
            for row in range(int(rows) + 1):
                r = F(row)
                low = max(max(ZERO, low0_v * r + low0), max(low1_v * r + low1, low2_v * r + low2))
                high = min(min(columns, high0_v * r + high0), min(high1_v * r + high1, high2_v * r + high2))
                low, high = np.ceil(low - EDGE), np.floor(high + EDGE)
                at = value + w_v * r + w_u * low
                pixel = start + row * width + int(low)
                for k in range(int(high - low) + 1):
                    z = F(ONE / min(max(w_u * F(k) + at, least), most))
                    buffer[pixel + k] = min(buffer[pixel + k], (np.int64(z.view(np.int32)) << 32) | owner)


@compiled
def farthest(buffer, width, height):
    """The greatest key of each square of ``TILE`` x ``TILE`` pixels."""
    tiles = np.zeros(((height - 1) // TILE + 1, (width - 1) // TILE + 1), np.int64)
    for row in range(height):
        for column in range(width):
            tile = tiles[row // TILE, column // TILE]
            tiles[row // TILE, column // TILE] = max(tile, buffer[row * width + column])
    return tiles


@compiled
def hidden(left, top, columns, rows, most, tiles):
    """``raster._hidden`` of one triangle of any size."""
    nearest = np.int64(F(ONE / most).view(np.int32)) << 32
    for row in range(int(top) // TILE, int(top + rows) // TILE + 1):
        for column in range(int(left) // TILE, int(left + columns) // TILE + 1):
            if tiles[row, column] >= nearest:
                return False
    return True


@compiled
def hits(buffer, faces):
    """Flat index of each hit pixel, index of its face among those hit, and the hit faces, of which there are ``faces`` in all."""
    pixels, slots = np.empty(len(buffer), np.int64), np.empty(len(buffer), np.int64)
    place, found = np.full(faces, -1, np.int32), np.empty(faces, np.int64)
    count, different = 0, 0
    for pixel in range(len(buffer)):
        key = buffer[pixel]
        if key == EMPTY:
            continue
        face = key & 0xFFFFFFFF
        if place[face] < 0:
            place[face], found[different] = different, face
            different += 1
        pixels[count], slots[count] = pixel, place[face]
        count += 1
    return pixels[:count], slots[:count], found[:different]


@compiled
def normal_matrices(found, first, faces, points, directions, corners, rotation, fx, matrices):
    """The matrices of ``surface.surface_normals`` of those hit faces that belong to one mesh, each as nine numbers."""
    for n in range(len(found)):
        face = found[n] - first
        if face < 0 or face >= len(faces):
            continue
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        ax, ay, az = points[0, a], points[1, a], points[2, a]
        px, py, pz = points[0, b] - ax, points[1, b] - ay, points[2, b] - az
        qx, qy, qz = points[0, c] - ax, points[1, c] - ay, points[2, c] - az
        whole = (qy * pz - qz * py, qz * px - qx * pz, qx * py - qy * px)
        second = (ay * qz - az * qy, az * qx - ax * qz, ax * qy - ay * qx)
        third = (py * az - pz * ay, pz * ax - px * az, px * ay - py * ax)
        longest = np.sqrt(max(px * px + py * py + pz * pz, qx * qx + qy * qy + qz * qz))
        thin = abs(ax * whole[0] + ay * whole[1] + az * whole[2]) * fx < THIN * az * az * longest
        i, j, k = corners[face, 0], corners[face, 1], corners[face, 2]
        for row in range(3):
            r0, r1, r2 = rotation[row, 0], rotation[row, 1], rotation[row, 2]
            n0 = r0 * directions[i, 0] + r1 * directions[i, 1] + r2 * directions[i, 2]
            n1 = r0 * directions[j, 0] + r1 * directions[j, 1] + r2 * directions[j, 2]
            n2 = r0 * directions[k, 0] + r1 * directions[k, 1] + r2 * directions[k, 2]
            for column in range(3):
                if thin:
                    matrices[n, 3 * row + column] = (n0 + n1 + n2) * whole[column]
                else:
                    matrices[n, 3 * row + column] = n0 * whole[column] + (n1 - n0) * second[column] + (n2 - n0) * third[column]


@compiled
def towards(m, slot, u, v):
    """A normal times the determinant: a matrix of ``normal_matrices`` times the ray (u, v, 1)."""
    return (
        m[slot, 0] * u + m[slot, 1] * v + m[slot, 2],
        m[slot, 3] * u + m[slot, 4] * v + m[slot, 5],
        m[slot, 6] * u + m[slot, 7] * v + m[slot, 8],
    )


@compiled
def normal_vectors(pixels, slots, matrices, rays_u, rays_v, normals):
    """The end of ``surface.surface_normals``: (3, N) unit normals of hit pixels.

    rays_u, rays_v: slope of the rays through each column and each row of the picture.
    """
    width = len(rays_u)
    row, end = -1, 0
    for n in range(len(pixels)):
        if pixels[n] >= end:
            row = pixels[n] // width
            end = (row + 1) * width
        x, y, z = towards(matrices, slots[n], rays_u[pixels[n] - end + width], rays_v[row])
        scale = ONE / (np.sqrt(x * x + y * y + z * z) + F(1e-30))
        normals[0, n], normals[1, n], normals[2, n] = x * scale, y * scale, z * scale


@compiled
def paint(buffer, pixels, slots, instances, matrices, rays_u, rays_v, depth, ids, colors):
    """``backends.store_view`` of one frame; arrays that are not wanted are empty. Rays as in ``normal_vectors``."""
    width = len(rays_u)
    row, end = -1, 0
    for n in range(len(pixels)):
        pixel, slot = pixels[n], slots[n]
        if pixel >= end:
            row = pixel // width
            end = (row + 1) * width
        if len(depth):
            depth[pixel] = np.int32(buffer[pixel] >> 32).view(np.float32)
        if len(ids):
            ids[pixel] = instances[slot]
        if len(colors):
            x, y, z = towards(matrices, slot, rays_u[pixel - end + width], rays_v[row])
            scale = HALF / (np.sqrt(x * x + y * y + z * z) + F(1e-30))
            colors[3 * pixel] = np.uint8(np.int32(MIDDLE + x * scale))
            colors[3 * pixel + 1] = np.uint8(np.int32(MIDDLE - y * scale))
            colors[3 * pixel + 2] = np.uint8(np.int32(MIDDLE - z * scale))
