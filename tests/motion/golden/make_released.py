"""Write what PAM's released class gives for the small model of the tests.

    python tests/motion/golden/make_released.py PAM_FOLDER
PAM_FOLDER is a checkout of github.com/GasaiYU/PAM (made with commit 704b1a3). Its output, not its code, is kept here.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), sys.argv[1]]

from models.cogvidex_combination import CogVideoXTransformer3DModelCombination  # noqa: E402
from small_model import CONFIG, COPIES, ROTARY, fill, inputs  # noqa: E402

ORDER = ("tracking_maps", "normal_maps", "depth_maps", "seg_masks", "hand_keypoints")


@torch.no_grad()
def main() -> None:
    model = fill(CogVideoXTransformer3DModelCombination(num_tracking_blocks=COPIES, **CONFIG), seed=1)
    given = inputs()
    slots = dict(zip(ORDER, (slot.expand(2, -1, -1, -1, -1) for slot in given["slots"]), strict=True))
    out = model(
        hidden_states=given["x"], encoder_hidden_states=given["text"], timestep=given["t"], image_rotary_emb=ROTARY, return_dict=False,
        **slots,
    )[0]  # fmt: skip
    save_file({"output": out.contiguous()}, HERE / "released.safetensors")


main()
