"""Small meshes with known answers."""

import numpy as np

from pam_nodes.geometry.camera import Camera


def camera(width=64, height=48, focal=50.0, cx=None, cy=None, pose=None):
    """A camera at the origin that looks along +z unless a pose says otherwise."""
    cx, cy = (width - 1) / 2 if cx is None else cx, (height - 1) / 2 if cy is None else cy
    return Camera(np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]]), np.eye(4) if pose is None else pose, width, height)


def lift(pixels, z, cam):
    """(N, 2) pixels at depth z to (N, 3) float32 points in the camera frame."""
    k = cam.intrinsics
    z = np.broadcast_to(z, len(pixels))
    return np.stack([(pixels[:, 0] - k[0, 2]) / k[0, 0] * z, (pixels[:, 1] - k[1, 2]) / k[1, 1] * z, z], axis=1).astype(np.float32)


def sphere(radius, centre, steps=400):
    """A latitude-longitude sphere of about 2 * steps**2 / 2 faces."""
    theta, phi = np.linspace(0, np.pi, steps // 2 + 1), np.linspace(0, 2 * np.pi, steps, endpoint=False)
    t, p = np.meshgrid(theta, phi, indexing="ij")
    vertices = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1).reshape(-1, 3) * radius + centre
    i, j = np.meshgrid(np.arange(steps // 2), np.arange(steps), indexing="ij")
    a, b = i * steps + j, i * steps + (j + 1) % steps
    quads = np.stack([a, a + steps, b + steps, b], -1).reshape(-1, 4)
    return vertices.astype(np.float32), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def cube(size=0.1):
    """A closed cube, counter-clockwise from outside."""
    vertices = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) * size / 2
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return vertices, np.array([[q[i], q[j], q[k]] for q in quads for i, j, k in ((0, 1, 2), (0, 2, 3))])


def poses(*translations):
    """(T, 4, 4) poses without rotation."""
    result = np.tile(np.eye(4), (len(translations), 1, 1))
    result[:, :3, 3] = translations
    return result
