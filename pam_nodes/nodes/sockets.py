"""Socket types, categories and the id prefix of every node of the pack."""

from comfy_api.latest import io

ManoModel = io.Custom("MANO_MODEL")
ManoPose = io.Custom("MANO_POSE")
HoiObject = io.Custom("HOI_OBJECT")
HoiTrajectory = io.Custom("HOI_TRAJECTORY")
GraspPolicy = io.Custom("GRASPXL_POLICY")
GraspObjective = io.Custom("GRASP_OBJECTIVE")
HoiCamera = io.Custom("HOI_CAMERA")
HoiConditions = io.Custom("HOI_CONDITIONS")
MetricNetwork = io.Custom("METRIC_NETWORK")
Tracks = io.Custom("TRACKS")
Trimesh = io.Custom("TRIMESH")
ModelPatch = io.Custom("MODEL_PATCH")
Refiner = io.Custom("PAM_REFINER")
PoseKeypoint = io.Custom("POSE_KEYPOINT")
Extrinsics = io.Custom("EXTRINSICS")
Intrinsics = io.Custom("INTRINSICS")
CameraCtrlPoses = io.Custom("CAMERACTRL_POSES")

POSE = "PAM/1 pose"
CONDITIONS = "PAM/2 conditions"
APPEARANCE = "PAM/3 appearance"
MOTION = "PAM/4 motion"
DATA = "PAM/5 data"


def stop_input() -> io.Input:
    """Below which score of a judgement the workflow stops."""
    tip = "Stop the workflow when the score is lower; 1 stops on any demand that is missed, 0 never."
    return io.Float.Input("stop_below", default=0.0, min=0.0, max=1.0, step=0.01, tooltip=tip)


def verdict_outputs() -> list[io.Output]:
    """What a judgement says."""
    return [
        io.Float.Output("score", tooltip="1 when every demand is kept, lower by how far they are missed."),
        io.Boolean.Output("passed", tooltip="True when every demand is kept."),
        io.String.Output("report", tooltip="All measurements, a line each."),
    ]


def guidance_inputs() -> list[io.Input]:
    """Strength of a control, and the span of sampling in which it acts."""
    return [
        io.Float.Input("strength", default=1.0, min=0.0, max=10.0, step=0.01, tooltip="How strongly the conditions guide; 1 as trained."),
        io.Float.Input("start_percent", default=0.0, min=0.0, max=1.0, step=0.001, tooltip="Share of sampling before guidance starts."),
        io.Float.Input("end_percent", default=1.0, min=0.0, max=1.0, step=0.001, tooltip="Share of sampling after which guidance ends."),
    ]
