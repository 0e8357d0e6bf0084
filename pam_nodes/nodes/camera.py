"""Nodes: camera."""

from comfy_api.latest import io

from .sockets import CONDITIONS, HoiCamera, HoiTrajectory

AUTO, ORBIT = "auto-frame", "orbit"
FOV_LENS = "fov"


def _number(name: str, default: float, low: float, high: float, tooltip: str, step: float = 0.01, advanced: bool = False) -> io.Input:
    """A float widget that keeps typed digits beyond its step."""
    return io.Float.Input(name, default=default, min=low, max=high, step=step, round=False, tooltip=tooltip, advanced=advanced)


class PAMHOICamera(io.ComfyNode):
    """A fixed camera for the condition renderer."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs."""
        return io.Schema(
            node_id="PAMHOICamera",
            display_name="HOI Camera (PAM)",
            category=CONDITIONS,
            description="Sets the camera that films the hand and the object: fits the whole motion into the picture, stands where you say, "
            "or takes over the view of a 3D viewer.",
            search_aliases=["camera", "viewpoint", "auto frame", "orbit", "intrinsics", "load 3d camera"],
            inputs=[
                io.Combo.Input(
                    "mode",
                    options=[AUTO, ORBIT],
                    tooltip="auto-frame: the closest camera in the given direction that keeps the whole motion in the picture (needs a "
                    "trajectory). orbit: at a distance from a target.",
                ),
                io.Int.Input("width", default=720, min=64, max=4096, step=8, tooltip="Picture width, pixels. PAM's own models use 720."),
                io.Int.Input("height", default=480, min=64, max=4096, step=8, tooltip="Picture height, pixels. PAM's own models use 480."),
                _number("fov", 40.0, 5.0, 120.0, "Vertical field of view, degrees.", step=1.0),
                _number(
                    "azimuth",
                    25.0,
                    -360.0,
                    360.0,
                    "Degrees around the vertical axis. 0 looks along +Y with X to the right; positive moves the camera towards +X.",
                    step=1.0,
                ),
                _number("elevation", 30.0, -90.0, 90.0, "Degrees above the table; 90 looks straight down.", step=1.0),
                _number("margin", 0.08, 0.0, 0.45, "auto-frame: share of the picture left free at each side."),
                _number("distance", 0.7, 0.05, 20.0, "orbit: metres from the target.", advanced=True),
                _number("target_x", 0.0, -10.0, 10.0, "orbit: target, metres.", advanced=True),
                _number("target_y", 0.0, -10.0, 10.0, "orbit: target, metres.", advanced=True),
                _number("target_z", 0.08, -10.0, 10.0, "orbit: target, metres above the table.", advanced=True),
                io.Combo.Input(
                    "lens",
                    options=[FOV_LENS, "DexYCB"],
                    optional=True,
                    advanced=True,
                    tooltip="fov: square pixels, centred, with the field of view above. DexYCB: the data set's lens, stretched from "
                    "640 x 480 to the size above as PAM stretches its pictures.",
                ),
                HoiTrajectory.Input("trajectory", optional=True, tooltip="The motion that auto-frame fits into the picture."),
                io.Load3DCamera.Input(
                    "viewer_camera",
                    optional=True,
                    tooltip="camera_info of a Load 3D or Preview 3D node. If connected, its place, direction and field of view are used "
                    "instead of the values above; width and height stay.",
                ),
            ],
            outputs=[HoiCamera.Output(display_name="camera", tooltip="Intrinsics, pose and picture size (OpenCV convention).")],
        )

    @classmethod
    def execute(
        cls,
        mode: str,
        width: int,
        height: int,
        fov: float,
        azimuth: float,
        elevation: float,
        margin: float,
        distance: float,
        target_x: float,
        target_y: float,
        target_z: float,
        lens: str = FOV_LENS,
        trajectory=None,
        viewer_camera=None,
    ) -> io.NodeOutput:
        """Build the camera."""
        from ..geometry.camera_build import auto_frame, from_load3d, orbit_camera
        from ..geometry.camera_lens import dataset_intrinsics

        if viewer_camera is not None:
            return io.NodeOutput(from_load3d(viewer_camera, width, height))
        view = (azimuth, elevation, fov, width, height)
        k = None if lens == FOV_LENS else dataset_intrinsics(lens, width, height)
        if mode == ORBIT:
            return io.NodeOutput(orbit_camera((target_x, target_y, target_z), distance, *view, intrinsics=k))
        if trajectory is None:
            raise ValueError('Expected a trajectory for the mode "auto-frame", found none: connect one, or choose the mode "orbit".')
        from ..conditions.render import motion_points

        return io.NodeOutput(auto_frame(motion_points(trajectory), *view, margin, k))


NODES: list[type] = [PAMHOICamera]
