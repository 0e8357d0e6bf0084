"""Socket types, categories and the id prefix of every node of the pack."""

from comfy_api.latest import io

ManoModel = io.Custom("MANO_MODEL")
ManoPose = io.Custom("MANO_POSE")
HoiObject = io.Custom("HOI_OBJECT")
HoiTrajectory = io.Custom("HOI_TRAJECTORY")
HoiCamera = io.Custom("HOI_CAMERA")
HoiConditions = io.Custom("HOI_CONDITIONS")
Trimesh = io.Custom("TRIMESH")
ModelPatch = io.Custom("MODEL_PATCH")

POSE = "PAM/1 pose"
CONDITIONS = "PAM/2 conditions"
APPEARANCE = "PAM/3 appearance"
MOTION = "PAM/4 motion"
DATA = "PAM/5 data"
