"""The span rasteriser in torch, many frames at once: on a GPU nothing leaves the device until the pictures are wanted.

Ids and depths have the same bits as ``raster``: every operation is a separate IEEE float32 kernel in the same order (eager torch fuses no
multiply with an add; ``torch.compile`` would), and the key of a pixel is a minimum, which no order of threads can change.
"""

from __future__ import annotations

import numpy as np
import torch

from ..geometry.camera import Camera
from .frames import Frames
from .raster import EDGE, EMPTY
from .scene import Scene
from .surface import THIN
from .triangles import LEAST, NEAR

MEMORY = 1 << 30
"""Bytes of a batch of frames on the device."""
FACE_BYTES, PIXEL_BYTES = 120, 180
"""What a batch needs, of each face and of each pixel, with room to spare."""
Columns = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class TorchDrawer:
    """Draws batches of frames on a device, CUDA where there is one."""

    threads = 1

    def __init__(self, scene: Scene, camera: Camera, device: str | None = None):
        self.scene, self.camera = scene, camera
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        need = FACE_BYTES * len(scene.faces) + PIXEL_BYTES * camera.width * camera.height
        # A batch has one lens.
        batches = self.device.type == "cuda" and camera.intrinsics.ndim == 2
        self.batch = max(1, min(64, MEMORY // need)) if batches else 1
        self.corners = tuple(self._put(scene.faces[:, k]) for k in range(3))
        self.instance = self._put(scene.face_instance)
        self.tracks = [
            (self._put(t.vertices), self._put(t.normals), tuple(self._put(t.normal_faces[:, k]) for k in range(3))) for t in scene.tracks
        ]

    def close(self) -> None:
        """Nothing is held that Python does not free."""

    def _put(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def draw(self, first: int, frames: Frames) -> None:
        """See ``backends.Drawer``."""
        drawn = self.render(first, len(frames), frames.normals is not None)
        for target, tensor in zip(frames.buffers, drawn, strict=True):
            if target is not None:
                target[...] = tensor.cpu().numpy()

    @torch.no_grad()
    def render(self, first: int, count: int, normals: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Depth (B, H, W) float32, ids (B, H, W) uint8 and normals (B, H, W, 3) uint8 of some frames, left on the device."""
        camera = self.camera
        poses = [[track.pose(t, camera.at(t)) for t in range(first, first + count)] for track in self.scene.tracks]
        matrices = [self._put(np.stack(each).astype(np.float32)) for each in poses]
        points = self._vertices(first, count, matrices)
        keys = rasterize(points, self.corners, count, camera.still(first))
        hit = (keys != int(EMPTY)).nonzero().squeeze(1)
        found = keys[hit]
        face = found & 0xFFFFFFFF
        depth = torch.zeros(len(keys), dtype=torch.float32, device=self.device)
        depth[hit] = (found >> 32).to(torch.int32).view(torch.float32)
        ids = torch.zeros(len(keys), dtype=torch.uint8, device=self.device)
        ids[hit] = self.instance[face]
        shape = (count, camera.height, camera.width)
        colors = self._normals(hit, face, points, matrices, first).view(*shape, 3) if normals else None
        return depth.view(shape), ids.view(shape), colors

    def _vertices(self, first: int, count: int, matrices: list[torch.Tensor]) -> Columns:
        """Camera-frame x, y, z of all meshes, each (B * V,); ``transform.transform`` operation by operation."""
        parts = []
        for track, (vertices, _, _), m in zip(self.scene.tracks, self.tracks, matrices, strict=True):
            v = vertices[None] if track.poses is not None else vertices[first : first + count]
            rows = []
            for i in range(3):
                row = m[:, i, 0, None] * v[..., 0]
                row = row + m[:, i, 1, None] * v[..., 1]
                row = row + m[:, i, 2, None] * v[..., 2]
                rows.append(row + m[:, i, 3, None])
            parts.append(rows)
        return tuple(torch.cat([rows[i] for rows in parts], dim=1).reshape(-1) for i in range(3))

    def _normals(self, hit: torch.Tensor, face: torch.Tensor, points: Columns, matrices: list[torch.Tensor], first: int) -> torch.Tensor:
        """(B * H * W, 3) uint8 normals as colours, ``surface.surface_normals`` pixel by pixel."""
        size = self.camera.width * self.camera.height
        frame, pixel = hit // size, hit % size
        k = self.camera.lens(first)
        u = ((pixel % self.camera.width).float() - float(np.float32(k[0, 2]))) / float(np.float32(k[0, 0]))
        v = ((pixel // self.camera.width).float() - float(np.float32(k[1, 2]))) / float(np.float32(k[1, 1]))
        base = frame * (len(points[0]) // len(matrices[0]))
        a, b, c = ([axis[base + corner[face]] for axis in points] for corner in self.corners)
        weights = _weights(a, b, c, u, v, float(np.float32(k[0, 0])))
        mixed = torch.empty((3, len(hit)), dtype=torch.float32, device=self.device)
        starts = self.scene.first_face
        for i, (track, (_, normals, corners), m) in enumerate(zip(self.scene.tracks, self.tracks, matrices, strict=True)):
            mine = ((face >= int(starts[i])) & (face < int(starts[i + 1]))).nonzero().squeeze(1)
            local, when = face[mine] - int(starts[i]), frame[mine]
            at = () if track.poses is not None else (first + when,)
            own = sum(w[mine, None] * normals[(*at, corner[local])] for w, corner in zip(weights, corners, strict=True))
            mixed[:, mine] = (m[when, :3, :3] * own[:, None]).sum(dim=2).T
        scale = 127.5 / ((mixed * mixed).sum(dim=0).sqrt() + 1e-30)
        flip = torch.tensor([1.0, -1.0, -1.0], device=self.device)[:, None]
        colors = torch.zeros((len(matrices[0]) * size, 3), dtype=torch.uint8, device=self.device)
        colors[hit] = (mixed * flip * scale + 128).to(torch.uint8).T
        return colors


def _weights(a: list, b: list, c: list, u: torch.Tensor, v: torch.Tensor, focal: float) -> Columns:
    """Weights of the corners times the determinant, see ``surface.weight_forms``; equal for faces seen too thin."""
    e1, e2 = ([q - p for p, q in zip(a, corner, strict=True)] for corner in (b, c))

    def cross(p, q):
        return p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]

    normal = cross(e2, e1)
    whole, first, second = (form[0] * u + form[1] * v + form[2] for form in (normal, cross(a, e2), cross(e1, a)))
    longest = torch.maximum(sum(e * e for e in e1), sum(e * e for e in e2)).sqrt()
    thin = sum(p * n for p, n in zip(a, normal, strict=True)).abs() * focal < float(THIN) * a[2] * a[2] * longest
    return tuple(torch.where(thin, whole, weight) for weight in (whole - first - second, first, second))


def rasterize(points: Columns, corners: Columns, count: int, camera: Camera) -> torch.Tensor:
    """Visibility buffers of ``count`` frames: (count * H * W,) int64 keys as in ``raster.rasterize``.

    Args:
        points: camera-frame x, y, z, each (count * V,) float32.
        corners: of the faces, each (F,) int64 below V.
        count: frames.
        camera: its size and intrinsics count.
    """
    device, size, faces = points[0].device, camera.width * camera.height, len(corners[0])
    keys = torch.full((count * size,), int(EMPTY), dtype=torch.int64, device=device)
    first = (torch.arange(count, device=device) * (len(points[0]) // count))[:, None]
    corners = tuple((first + corner).reshape(-1) for corner in corners)
    owner = torch.arange(count * faces, device=device)
    points, corners, owner = _clip_near(points, corners, owner)
    fx, fy, cx, cy = (float(np.float32(camera.intrinsics[i])) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    w = 1 / points[2].clamp(min=float(NEAR))
    x, y = points[0] * w * fx + cx, points[1] * w * fy + cy
    top, rows = _box([y[k] for k in corners], camera.height)
    left, columns = _box([x[k] for k in corners], camera.width)
    keep = ((rows >= 0) & (columns >= 0)).nonzero().squeeze(1)
    index = [k[keep] for k in corners]
    box = [value[keep] for value in (left, top, columns, rows)]
    _draw(keys, [[value[k] for k in index] for value in (x, y, w)], box, owner[keep], faces, camera)
    return keys


def _box(corners: list[torch.Tensor], size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``triangles._box``."""
    a, b, c = corners
    low = torch.minimum(torch.minimum(a, b), c).ceil().clamp(min=0)
    return low, torch.maximum(torch.maximum(a, b), c).floor().clamp(max=size - 1) - low


def _draw(keys: torch.Tensor, values: list[list[torch.Tensor]], box: list[torch.Tensor], owner: torch.Tensor, faces: int, camera: Camera):
    """``triangles.set_up`` and ``raster._draw``."""
    (x0, x1, x2), (y0, y1, y2), (w0, w1, w2) = values
    left, top, width, height = box
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    flat = area.abs() < float(LEAST)
    inverse = 1 / torch.where(flat, torch.inf, area)
    b1_u, b1_v, b2_u, b2_v = (y2 - y0) * inverse, (x0 - x2) * inverse, (y0 - y1) * inverse, (x1 - x0) * inverse
    d1, d2 = w1 - w0, w2 - w0
    least, most = torch.minimum(torch.minimum(w0, w1), w2), torch.maximum(torch.maximum(w0, w1), w2)
    du, dv = left - x0, top - y0
    b1, b2 = du * b1_u + dv * b1_v, du * b2_u + dv * b2_v
    edges = []
    for value, slope, step in ((1 - b1 - b2, -b1_u - b2_u, -b1_v - b2_v), (b1, b1_u, b1_v), (b2, b2_u, b2_v)):
        per_column = torch.where(slope != 0, -1 / slope, 0.0)
        edges.append((value * per_column, step * per_column, slope >= 0))
    start, w_u, w_v = w0 + b1 * d1 + b2 * d2, b1_u * d1 + b2_u * d2, b1_v * d1 + b2_v * d2

    tri, row = _runs(torch.where(flat, 0, height + 1).long())
    row_f = row.float()
    extent = width[tri]
    low, high = torch.zeros_like(extent), extent
    for crossing, step, opens in edges:
        column = step[tri] * row_f + crossing[tri]
        opening = opens[tri]
        low = torch.maximum(low, torch.where(opening, column, 0.0))
        high = torch.minimum(high, torch.where(opening, extent, column))
    low, high = (low - float(EDGE)).ceil(), (high + float(EDGE)).floor()
    full = (high >= low).nonzero().squeeze(1)
    tri, row, row_f, low, high = (v[full] for v in (tri, row, row_f, low, high))
    slope = w_u[tri]
    value = start[tri] + w_v[tri] * row_f + slope * low
    frame = torch.div(owner[tri], faces, rounding_mode="floor")
    pixel = (frame * camera.height + top[tri].long() + row) * camera.width + (left[tri] + low).long()
    span, column = _runs((high - low).long() + 1)
    nearness = torch.minimum(torch.maximum(slope[span] * column.float() + value[span], least[tri][span]), most[tri][span])
    z = 1 / nearness
    found = (z.view(torch.int32).long() << 32) | (owner[tri] - frame * faces)[span]
    keys.scatter_reduce_(0, pixel[span] + column, found, "amin")


def _runs(counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Index of the owner and position within the owner of each of ``counts.sum()`` items."""
    owner = torch.repeat_interleave(counts)
    return owner, torch.arange(len(owner), device=counts.device) - (torch.cumsum(counts, 0) - counts)[owner]


def _clip_near(points: Columns, corners: Columns, owner: torch.Tensor) -> tuple[Columns, Columns, torch.Tensor]:
    """``triangles.clip_near``."""
    ahead = points[2] >= float(NEAR)
    if bool(ahead.all()):
        return points, corners, owner
    inside = torch.stack([ahead[corner] for corner in corners])
    count, table = inside.sum(dim=0), torch.stack(corners)
    whole = (count == 3).nonzero().squeeze(1)
    pieces, kept, owners, total = [points], [table[:, whole]], [owner[whole]], len(points[0])
    for ahead_of in (1, 2):
        cut = (count == ahead_of).nonzero().squeeze(1)
        alone = (inside[:, cut] == (ahead_of == 1)).int().argmax(dim=0)
        a, b, c = (table[(alone + k) % 3, cut] for k in range(3))
        pieces += [_at_near(points, a, b), _at_near(points, a, c)]
        ab = total + torch.arange(len(cut), device=cut.device)
        ac = ab + len(cut)
        total += 2 * len(cut)
        kept += [torch.stack([a, ab, ac])] if ahead_of == 1 else [torch.stack([ab, b, c]), torch.stack([ab, c, ac])]
        owners += [owner[cut]] * ahead_of
    return tuple(torch.cat([piece[i] for piece in pieces]) for i in range(3)), tuple(torch.cat(kept, dim=1)), torch.cat(owners)


def _at_near(points: Columns, a: torch.Tensor, b: torch.Tensor) -> Columns:
    """``triangles._at_near``."""
    x, y, z = points
    t = (float(NEAR) - z[a]) / (z[b] - z[a])
    return x[a] + t * (x[b] - x[a]), y[a] + t * (y[b] - y[a]), torch.full_like(t, float(NEAR))
