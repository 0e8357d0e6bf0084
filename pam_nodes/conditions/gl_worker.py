"""The child process that draws with OpenGL in pyrender's context. A script: it is run by ``gl_client`` and imports nothing of the pack.

It speaks lines of JSON on its first standard output; arrays are files in the folder of each scene. One pass draws depth, ids and normals:
no multisampling, no blending, no culling, depth as a linear varying (rendering.md, section 3 says what goes wrong otherwise).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

VERTEX = """#version 330 core
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
uniform mat4 to_camera; uniform mat4 projection;
out vec3 towards; out float z;
void main() {
    vec4 point = to_camera * vec4(position, 1.0);
    towards = mat3(to_camera) * normal; z = point.z; gl_Position = projection * point;
}
"""
FRAGMENT = """#version 330 core
in vec3 towards; in float z;
uniform float instance;
layout(location = 0) out float depth;
layout(location = 1) out vec4 packed_normal;
void main() {
    vec3 n = normalize(gl_FrontFacing ? towards : -towards);
    depth = z; packed_normal = vec4(vec3(n.x, -n.y, -n.z) * 0.5 + 0.5, instance / 255.0);
}
"""
NEAR, FAR = 0.01, 1000.0


def projection(intrinsics: np.ndarray, width: int, height: int) -> np.ndarray:
    """(4, 4) OpenCV camera frame to clip space; OpenGL counts pixels from their corner, hence the half. The first row read is the top."""
    k = intrinsics
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[0, 2] = 2 * k[0, 0] / width, 2 * (k[0, 2] + 0.5) / width - 1
    matrix[1, 1], matrix[1, 2] = 2 * k[1, 1] / height, 2 * (k[1, 2] + 0.5) / height - 1
    matrix[2, 2], matrix[2, 3] = (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)
    matrix[3, 2] = 1
    return matrix


class Target:
    """A context of pyrender's making and what is drawn into."""

    def __init__(self, width: int, height: int):
        import pyrender
        from OpenGL import GL as gl
        from OpenGL.GL import shaders

        self.gl, self.size = gl, (width, height)
        self.renderer = pyrender.OffscreenRenderer(width, height)
        self.renderer._platform.make_current()
        self.array = gl.glGenVertexArrays(1)
        gl.glBindVertexArray(self.array)
        self.program = shaders.compileProgram(
            shaders.compileShader(VERTEX, gl.GL_VERTEX_SHADER), shaders.compileShader(FRAGMENT, gl.GL_FRAGMENT_SHADER)
        )
        self.uniform = {name: gl.glGetUniformLocation(self.program, name) for name in ("to_camera", "projection", "instance")}
        self._attach(width, height)
        self.meshes = []

    def _attach(self, width: int, height: int) -> None:
        gl = self.gl
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, gl.glGenFramebuffers(1))
        for kind, place in (
            (gl.GL_R32F, gl.GL_COLOR_ATTACHMENT0),
            (gl.GL_RGBA8, gl.GL_COLOR_ATTACHMENT1),
            (gl.GL_DEPTH_COMPONENT32F, gl.GL_DEPTH_ATTACHMENT),
        ):
            buffer = gl.glGenRenderbuffers(1)
            gl.glBindRenderbuffer(gl.GL_RENDERBUFFER, buffer)
            gl.glRenderbufferStorage(gl.GL_RENDERBUFFER, kind, width, height)
            gl.glFramebufferRenderbuffer(gl.GL_FRAMEBUFFER, place, gl.GL_RENDERBUFFER, buffer)
        gl.glDrawBuffers(2, [gl.GL_COLOR_ATTACHMENT0, gl.GL_COLOR_ATTACHMENT1])
        if gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER) != gl.GL_FRAMEBUFFER_COMPLETE:
            raise RuntimeError("The OpenGL driver refuses float targets.")

    def forget(self) -> None:
        """Let go of the meshes and their files."""
        for _, points, faces, _, _ in self.meshes:
            self.gl.glDeleteBuffers(2, [points, faces])
        self.meshes = []

    def load(self, scene: dict) -> None:
        """Take the meshes of a scene: faces, static or moving points with normals, and a matrix a frame."""
        gl, folder = self.gl, Path(scene["folder"])
        self.forget()
        self.projections = np.load(folder / "projections.npy").astype(np.float32)
        for i, instance in enumerate(scene["instances"]):
            faces = np.load(folder / f"{i}_faces.npy")
            vertices = np.load(folder / f"{i}_points.npy", mmap_mode="r")
            points, indices = (int(name) for name in gl.glGenBuffers(2))
            gl.glBindBuffer(gl.GL_ELEMENT_ARRAY_BUFFER, indices)
            gl.glBufferData(gl.GL_ELEMENT_ARRAY_BUFFER, faces.nbytes, faces, gl.GL_STATIC_DRAW)
            gl.glBindBuffer(gl.GL_ARRAY_BUFFER, points)
            first = np.ascontiguousarray(vertices[0])
            gl.glBufferData(gl.GL_ARRAY_BUFFER, first.nbytes, first, gl.GL_DYNAMIC_DRAW)
            self.meshes.append((instance, points, indices, vertices, faces.size))
        self.matrices = [np.load(folder / f"{i}_matrices.npy") for i in range(len(self.meshes))]

    def draw(self, first: int, depth: np.ndarray, packed: np.ndarray) -> None:
        """Draw len(depth) frames into (B, H, W) float32 and (B, H, W, 4) uint8 arrays."""
        gl = self.gl
        for switch in (gl.GL_CULL_FACE, gl.GL_BLEND, gl.GL_DITHER, gl.GL_MULTISAMPLE):
            gl.glDisable(switch)
        gl.glEnable(gl.GL_DEPTH_TEST)
        gl.glFrontFace(gl.GL_CW)
        gl.glViewport(0, 0, *self.size)
        gl.glClearColor(0, 0, 0, 0)
        gl.glUseProgram(self.program)
        for row in range(len(depth)):
            gl.glUniformMatrix4fv(self.uniform["projection"], 1, gl.GL_TRUE, self.projections[first + row])
            gl.glClear(gl.GL_COLOR_BUFFER_BIT | gl.GL_DEPTH_BUFFER_BIT)
            for mesh, matrices in zip(self.meshes, self.matrices, strict=True):
                self._mesh(mesh, matrices[first + row], first + row)
            for place, kind, data, target in (
                (gl.GL_COLOR_ATTACHMENT0, gl.GL_RED, gl.GL_FLOAT, depth[row]),
                (gl.GL_COLOR_ATTACHMENT1, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, packed[row]),
            ):
                gl.glReadBuffer(place)
                gl.glReadPixels(0, 0, *self.size, kind, data, target)

    def _mesh(self, mesh: tuple, matrix: np.ndarray, frame: int) -> None:
        import ctypes

        gl, (instance, points, indices, vertices, corners) = self.gl, mesh
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, points)
        if len(vertices) > 1:
            moved = np.ascontiguousarray(vertices[frame])
            gl.glBufferSubData(gl.GL_ARRAY_BUFFER, 0, moved.nbytes, moved)
        for place in (0, 1):
            gl.glEnableVertexAttribArray(place)
            gl.glVertexAttribPointer(place, 3, gl.GL_FLOAT, False, 24, ctypes.c_void_p(12 * place))
        gl.glBindBuffer(gl.GL_ELEMENT_ARRAY_BUFFER, indices)
        gl.glUniformMatrix4fv(self.uniform["to_camera"], 1, gl.GL_TRUE, matrix.astype(np.float32))
        gl.glUniform1f(self.uniform["instance"], instance)
        gl.glDrawElements(gl.GL_TRIANGLES, corners, gl.GL_UNSIGNED_INT, None)


def serve(target: Target, job: dict) -> None:
    """Do one request."""
    if "scene" in job:
        target.load(job["scene"]) if job["scene"] else target.forget()
        return
    width, height = target.size
    depth, packed = (
        np.memmap(job[name], kind, "r+", shape=(job["count"], height, width, *rest))
        for name, kind, rest in (("depth", np.float32, ()), ("packed", np.uint8, (4,)))
    )
    target.draw(job["first"], depth, packed)


def converse(begin: Callable[[], tuple[dict, Callable[[dict], None]]]) -> None:
    """Answer requests until the input ends, one JSON object a line.

    Args:
        begin: gets ready; returns what is to be said of that, and what does a request. Whatever either raises is said as an error.
    """
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not reach the protocol

    def answer(**message) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    try:
        about, do = begin()
        answer(ready=True, **about)
    except Exception as problem:  # no library, no driver, no display: each fails in its own way
        answer(error=f"{type(problem).__name__}: {problem}")
        return
    for line in sys.stdin:
        try:
            do(json.loads(line))
            answer(done=True)
        except Exception as problem:
            answer(error=f"{type(problem).__name__}: {problem}")


def begin() -> tuple[dict, Callable[[dict], None]]:
    """For ``converse``. Arguments: width and height; there is one size, as deleting a renderer of pyrender ends all."""
    target = Target(int(sys.argv[1]), int(sys.argv[2]))
    return {"driver": target.gl.glGetString(target.gl.GL_RENDERER).decode()}, lambda job: serve(target, job)


if __name__ == "__main__":
    converse(begin)
