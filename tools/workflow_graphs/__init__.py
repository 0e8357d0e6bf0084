"""The shipped workflows, described in Python: one function a workflow, from the host's node descriptions to a graph."""

from .conditions import studio
from .pam import full, mini

WORKFLOWS = {"pam_pose_appearance_motion_mini": mini, "condition_studio": studio, "pam_pose_appearance_motion_flux_cogvideox": full}
"""Name of the file -> what builds it."""
