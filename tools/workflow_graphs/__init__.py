"""The shipped workflows, described in Python: one function a workflow, from the host's node descriptions to a graph."""

from .appearance import flux_dev, seeds_and_pick, with_lora
from .assess import pick_and_check
from .compare import compare_clips
from .conditions import studio
from .motion import from_photo, full_weights, long, wan_vace
from .pam import full, mini
from .pose import editing, graspxl, recorded, target, two_hands

WORKFLOWS = {
    "pam_pose_appearance_motion_mini": mini,
    "condition_studio": studio,
    "full_chain_flux_cogvideox": full,
    "grasp_rollout_graspxl": graspxl,
    "grasp_from_target_pose": target,
    "play_recorded_motion": recorded,
    "two_hands": two_hands,
    "edit_motion": editing,
    "appearance_flux_dev": flux_dev,
    "appearance_seeds_and_pick": seeds_and_pick,
    "appearance_with_lora": with_lora,
    "pick_and_check": pick_and_check,
    "compare_clips": compare_clips,
    "motion_cogvideox_pam": full_weights,
    "motion_from_photo": from_photo,
    "motion_long": long,
    "conditions_to_wan_vace": wan_vace,
}
"""Name of the file -> what builds it."""
