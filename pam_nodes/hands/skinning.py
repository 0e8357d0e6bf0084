"""Linear blend skinning of MANO-schema hands, batched over frames (MANO paper, section 3, equations 2-4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from .joints import joints21
from .model import PARENTS, HandModel
from .pose import HandPose
from .smplx_backend import skin_smplx


@dataclass(frozen=True, eq=False)
class SkinnedHand:
    """A posed hand over T frames, world frame, metres, float32.

    Attributes:
        vertices: (T, V, 3).
        joints: (T, 16, 3), MANO order.
        transforms: (T, 16, 4, 4) joint frames in the world: ``transforms[:, 0, :3, 3]`` is the wrist. Unposed frames are parallel.
        rest_joints: (16, 3) joints of the unposed, shaped hand, for inverse bind matrices.
        keypoints: (T, 21, 3), OpenPose order, with the tips.
    """

    vertices: np.ndarray
    joints: np.ndarray
    transforms: np.ndarray
    rest_joints: np.ndarray
    keypoints: np.ndarray


def rotation_matrices(axis_angle: torch.Tensor) -> torch.Tensor:
    """Rodrigues' formula: (..., 3) radians to (..., 3, 3), exact and differentiable at zero rotation."""
    square = (axis_angle * axis_angle).sum(-1)[..., None, None]
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    small = square < 1e-8
    angle = torch.where(small, 1.0, square).sqrt()
    sine = torch.where(small, 1 - square / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - square / 24, 2 * (0.5 * angle).sin().square() / angle.square())
    return torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device) + sine * cross + cosine * (cross @ cross)


class HandLayer:
    """The tensors of one hand model on one device, and the forward pass over them."""

    def __init__(self, model: HandModel, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32):
        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(np.asarray(array), dtype=dtype, device=device)

        self.v_template = tensor(model.v_template)
        self.weights = tensor(model.weights)
        self.J_regressor = tensor(model.J_regressor)
        self.shapedirs = tensor(model.shapedirs)
        self.posedirs = tensor(model.posedirs).permute(2, 1, 0).flatten(1).contiguous()  # (135, 3 V): all x, all y, all z

    def shaped(self, betas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rest mesh (V, 3) and rest joints (16, 3) for shape coefficients (n,), n at most S."""
        vertices = self.v_template + self.shapedirs[..., : len(betas)] @ betas
        return vertices, self.J_regressor @ vertices

    def __call__(
        self, global_orient: torch.Tensor, hand_pose: torch.Tensor, transl: torch.Tensor, betas: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pose the hand; differentiable.

        Args:
            global_orient: (B, 3) axis-angle, turns the hand about its wrist joint.
            hand_pose: (B, 45) axis-angle, zeros are the flat hand.
            transl: (B, 3) metres, added after the rotation.
            betas: (n,) shape coefficients.

        Returns:
            vertices (B, V, 3) and joint transforms (B, 16, 4, 4).
        """
        batch = len(hand_pose)
        vertices, joints = self.shaped(betas)
        rotations = rotation_matrices(torch.cat([global_orient, hand_pose], 1).view(batch, 16, 3))
        features = (rotations[:, 1:] - torch.eye(3, dtype=rotations.dtype, device=rotations.device)).reshape(batch, 135)
        planes = torch.addmm(vertices.T.reshape(1, -1), features, self.posedirs).view(batch, 3, -1)

        turn, centre = self._chain(rotations, joints, joints[0] + transl)
        offset = centre - (turn @ joints[..., None])[..., 0]
        # Coordinates apart, (B, 3, V): plain multiply-adds over long rows are twice as fast as many 3 x 3 products.
        columns = torch.cat([turn, offset[..., None]], -1).permute(0, 3, 2, 1).reshape(batch, 12, 16)
        blend = (columns @ self.weights.T).view(batch, 4, 3, -1)
        posed = blend[:, 0] * planes[:, 0:1]
        posed.addcmul_(blend[:, 1], planes[:, 1:2]).addcmul_(blend[:, 2], planes[:, 2:3]).add_(blend[:, 3])
        vertices = posed.transpose(1, 2)

        transforms = torch.zeros(batch, 16, 4, 4, dtype=turn.dtype, device=turn.device)
        transforms[..., :3, :3], transforms[..., :3, 3], transforms[..., 3, 3] = turn, centre, 1.0
        return vertices, transforms

    @staticmethod
    def _chain(rotations: torch.Tensor, joints: torch.Tensor, wrist: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """World rotations (B, 16, 3, 3) and places (B, 16, 3) of the joints: all five fingers at once, from the base to the tip."""
        turn, centre = rotations[:, :1], wrist[:, None]
        local, bones = rotations[:, 1:].unflatten(1, (5, 3)), (joints[1:] - joints[list(PARENTS[1:])]).view(5, 3, 3)
        turns, centres = [], []
        for joint in range(3):
            centre = centre + (turn @ bones[:, joint, :, None])[..., 0]
            turn = turn @ local[:, :, joint]
            turns.append(turn)
            centres.append(centre)
        fingers = torch.stack(turns, 2).flatten(1, 2), torch.stack(centres, 2).flatten(1, 2)
        return torch.cat([rotations[:, :1], fingers[0]], 1), torch.cat([wrist[:, None], fingers[1]], 1)


@lru_cache(maxsize=4)
def _layer(model: HandModel, device: str) -> HandLayer:
    """The tensors of the hands used last."""
    return HandLayer(model, device)


def skin(model: HandModel, pose: HandPose, device: str | torch.device = "cpu", chunk: int = 64) -> SkinnedHand:
    """Pose a hand over all frames.

    Args:
        model: the hand.
        pose: T frames for the same side; its betas may be fewer than the model's.
        device: where to compute; the result is always NumPy.
        chunk: frames at a time, bounds memory (a frame of the default hand takes about 80 KB).

    Returns:
        The posed hand.

    Raises:
        ValueError: pose of the other side, or more betas than the model has.
        ImportError: the model asks for the smplx backend and it is not installed.
    """
    if pose.side != model.side:
        raise ValueError(f"Expected a pose of a {model.side} hand for '{model.name}', found a {pose.side} one: load a {pose.side} hand.")
    if len(pose.betas) > model.num_betas:
        raise ValueError(f"Expected at most {model.num_betas} betas for the hand '{model.name}', found {len(pose.betas)}.")
    layer = _layer(model, str(device))

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.array(array, dtype=np.float32), device=device)

    betas = tensor(pose.betas)
    vertices, transforms = np.empty((len(pose), len(model.v_template), 3), np.float32), np.empty((len(pose), 16, 4, 4), np.float32)
    with torch.no_grad():
        for start in range(0, len(pose), chunk):
            part = slice(start, start + chunk)
            skinned, frames = layer(tensor(pose.global_orient[part]), tensor(pose.hand_pose[part]), tensor(pose.transl[part]), betas)
            torch.from_numpy(vertices[part]).copy_(skinned)
            torch.from_numpy(transforms[part]).copy_(frames)
        rest = layer.shaped(betas)[1].cpu().numpy()
    joints = transforms[:, :, :3, 3].copy()
    if model.backend == "smplx":
        vertices, joints = skin_smplx(model, pose, str(device))
    return SkinnedHand(vertices, joints, transforms, rest, joints21(vertices, joints, model.tip_ids))
