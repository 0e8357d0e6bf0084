"""Nodes: further modalities of a trajectory - flow, 3-D tracking, contact, amodal layers, shaded preview."""

from comfy_api.latest import io

from .sockets import CONDITIONS, HoiCamera, HoiConditions, HoiTrajectory
from .tensors import bytes_of, check_view, image, mask

SKINS = ["medium", "light", "tan", "brown", "dark"]


def _view_inputs() -> list[io.Input]:
    """What is filmed, from where, how many frames."""
    return [
        HoiTrajectory.Input("trajectory", tooltip="Hands and objects in motion."),
        HoiCamera.Input("camera", tooltip="Where it is filmed from, and the size of the pictures; may move."),
        io.Int.Input("length", default=0, min=0, max=100000, tooltip="Frames to draw from the start; 0 draws all."),
    ]


def _bundle_input() -> io.Input:
    return HoiConditions.Input("conditions", optional=True, tooltip="Bundle to add it to; without one a new bundle is made.")


class PAMOpticalFlow(io.ComfyNode):
    """Exact optical flow."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMOpticalFlow",
            display_name="Render Optical Flow (PAM)",
            category=CONDITIONS,
            description="Computes where every visible point moves from each frame to the next, from the meshes themselves, with exact "
            "occlusion.",
            search_aliases=["optical flow", "motion vectors", "raft", "warp", "occlusion"],
            inputs=[
                *_view_inputs(),
                io.Boolean.Input("table", default=False, tooltip="The table top has flow too; it moves when the camera does."),
                io.Float.Input(
                    "full_color",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=1.0,
                    tooltip="Pixels a frame that are shown in full colour; 0 takes the fastest of the clip.",
                ),
                _bundle_input(),
            ],
            outputs=[
                io.Image.Output(display_name="flow", tooltip="Colour wheel: hue is direction, white is still, black is unknown."),
                io.Image.Output(
                    display_name="vectors",
                    tooltip="The numbers: red and green are pixels right and down to the next frame, blue is 1 where the point stays "
                    "visible and 0.5 where it is hidden then. Not for looking at.",
                ),
                io.Mask.Output(display_name="occluded", tooltip="1 where a point is hidden or outside the picture in the next frame."),
                HoiConditions.Output(display_name="conditions", tooltip="The bundle with the flow in it."),
            ],
        )

    @classmethod
    def execute(cls, trajectory, camera, length: int, table: bool, full_color: float, conditions=None) -> io.NodeOutput:
        import torch

        from ..conditions.flow import OCCLUDED, as_vectors, colorize_flow
        from ..conditions.modalities import added, optical_flow
        from ..host.progress import reporter

        check_view(trajectory, camera, length, 45, "flow, vectors and their pictures")
        video = optical_flow(trajectory, camera, length or None, table, reporter())
        bundle = added(conditions, trajectory, "exact, forward", flow=video)
        pictures = colorize_flow(video.flow, video.state, full_color)
        return io.NodeOutput(image(pictures), torch.from_numpy(as_vectors(video)), mask(video.state == OCCLUDED), bundle)


class PAMTrackingVideo(io.ComfyNode):
    """3-D tracking video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMTrackingVideo",
            display_name="Render 3D Tracking Video (PAM)",
            category=CONDITIONS,
            description="Draws the 3-D tracking video of Diffusion-as-Shader: every surface point keeps the colour of its place "
            "in the first frame. Exact, no tracker is involved.",
            search_aliases=["tracking", "diffusion as shader", "das", "point tracks", "correspondence", "spatial tracker"],
            inputs=[
                *_view_inputs(),
                io.Combo.Input(
                    "look",
                    options=["points", "dense"],
                    tooltip="points: a grid of points of the first frame as rectangles, as in training. dense: every pixel, "
                    "also of surfaces that come into view later.",
                ),
                io.Int.Input(
                    "grid", default=70, min=2, max=1024, tooltip="points: how many along each side of the picture; 70 in training."
                ),
                io.Boolean.Input("table", default=True, tooltip="Track the table top too."),
                _bundle_input(),
            ],
            outputs=[
                io.Image.Output(display_name="tracking", tooltip="Red is x, green is y, blue is nearness in the first frame."),
                HoiConditions.Output(
                    display_name="conditions", tooltip="The bundle with the tracking clip, which fills that slot of PAM's model."
                ),
            ],
        )

    @classmethod
    def execute(cls, trajectory, camera, length: int, look: str, grid: int, table: bool, conditions=None) -> io.NodeOutput:
        from ..conditions.modalities import added, tracking_video
        from ..conditions.tracking import TrackingLook
        from ..host.progress import reporter

        check_view(trajectory, camera, length, 15, "the tracking video")
        pictures = tracking_video(trajectory, camera, TrackingLook(look, grid, table), length or None, reporter())
        return io.NodeOutput(image(pictures), added(conditions, trajectory, f"rendered, {look}", tracking=pictures))


class PAMContactMap(io.ComfyNode):
    """Contact map."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMContactMap",
            display_name="Render Contact Map (PAM)",
            category=CONDITIONS,
            description="Colours hand and object by the distance to each other, measured at every pixel: pale yellow where they "
            "touch, grey where they are far.",
            search_aliases=["contact", "touch", "distance", "affordance", "penetration"],
            inputs=[
                *_view_inputs(),
                io.Float.Input(
                    "distance", default=0.03, min=0.001, max=1.0, step=0.001, round=False, tooltip="Metres at which colour ends."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="contact", tooltip="The contact map, background black."),
                io.Mask.Output(display_name="touch", tooltip="1 on visible surface that touches (3 mm or nearer)."),
                io.String.Output(display_name="info", tooltip="When they touch, and the nearest distance."),
            ],
        )

    @classmethod
    def execute(cls, trajectory, camera, length: int, distance: float) -> io.NodeOutput:
        from ..conditions.modalities import contact_map, describe_contact
        from ..host.progress import reporter

        check_view(trajectory, camera, length, 20, "the contact map")
        contact = contact_map(trajectory, camera, distance, length or None, reporter())
        return io.NodeOutput(image(contact.pictures), mask(contact.mask), describe_contact(contact))


class PAMAmodalLayers(io.ComfyNode):
    """Hands and objects apart."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMAmodalLayers",
            display_name="Render Amodal Layers (PAM)",
            category=CONDITIONS,
            description="Draws all hands as if no object were there, and all objects as if no hand were there: whole surfaces "
            "and masks, also where one hides the other.",
            search_aliases=["amodal", "hand mask", "hand mesh render", "layers", "unoccluded", "mano render"],
            inputs=[
                *_view_inputs(),
                io.Combo.Input(
                    "look", options=["normals", "depth", "segmentation", "shaded"], tooltip="How the surfaces are drawn, on black."
                ),
                io.Int.Input(
                    "alone",
                    default=0,
                    min=0,
                    max=255,
                    optional=True,
                    tooltip="0: all hands and all objects. n: the n-th hand and the n-th object alone, black if there is none.",
                    advanced=True,
                ),
            ],
            outputs=[
                io.Image.Output(display_name="hands", tooltip="All hands."),
                io.Mask.Output(display_name="hand_mask", tooltip="Whole hands, hidden parts too."),
                io.Image.Output(display_name="objects", tooltip="All objects."),
                io.Mask.Output(display_name="object_mask", tooltip="Whole objects, hidden parts too."),
            ],
        )

    @classmethod
    def execute(cls, trajectory, camera, length: int, look: str, alone: int = 0) -> io.NodeOutput:
        from ..conditions.modalities import amodal_layers
        from ..host.progress import reporter

        check_view(trajectory, camera, length, 40, "two layers")
        hands, objects = amodal_layers(trajectory, camera, look, None, length or None, reporter(), alone)
        return io.NodeOutput(image(hands.pictures), mask(hands.mask), image(objects.pictures), mask(objects.mask))


class PAMShadedPreview(io.ComfyNode):
    """The shaded picture with all its choices."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMShadedPreview",
            display_name="Render Shaded Preview (PAM)",
            category=CONDITIONS,
            description="Films the trajectory with skin, shadows and smooth edges on a table, on a plain colour, or in your own picture or "
            "video, with an alpha mask.",
            search_aliases=["preview", "shaded", "background", "composite", "alpha", "shadow", "skin"],
            inputs=[
                *_view_inputs(),
                io.Combo.Input("skin", options=SKINS, tooltip="Skin tone of the hands."),
                io.Combo.Input(
                    "table", options=["plain", "wood", "tiles", "none"], tooltip="Table top; none shows only the background colour."
                ),
                io.Int.Input(
                    "smoothing", default=2, min=1, max=4, tooltip="Edges are drawn at this multiple and averaged; 1 leaves steps."
                ),
                io.Color.Input("background_color", default="#ccd1d6", tooltip="Colour behind the table."),
                io.Float.Input(
                    "light_azimuth",
                    default=-40.0,
                    min=-360.0,
                    max=360.0,
                    step=1.0,
                    tooltip="Degrees around; as the camera's.",
                    advanced=True,
                ),
                io.Float.Input(
                    "light_elevation", default=55.0, min=5.0, max=90.0, step=1.0, tooltip="Degrees above the table.", advanced=True
                ),
                io.Image.Input(
                    "background",
                    optional=True,
                    tooltip="Picture or clip shown instead of table and wall, stretched to the size; shadows fall on it where "
                    "the table is.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="preview", tooltip="The shaded clip."),
                io.Mask.Output(display_name="alpha", tooltip="1 where hands and objects are, smooth at their edges."),
            ],
        )

    @classmethod
    def execute(
        cls,
        trajectory,
        camera,
        length: int,
        skin: str,
        table: str,
        smoothing: int,
        background_color: str,
        light_azimuth: float,
        light_elevation: float,
        background=None,
    ) -> io.NodeOutput:
        from ..conditions.look import SKIN_TONES, table_look
        from ..conditions.modalities import shaded_preview
        from ..conditions.pack import resize
        from ..host.progress import reporter

        check_view(trajectory, camera, length, 19, "preview and alpha")
        look = table_look(
            table,
            background_color,
            None if background is None else resize(bytes_of(background), camera.width, camera.height, sharp=False),
            skin=SKIN_TONES[skin],
            supersample=smoothing,
            light_azimuth=light_azimuth,
            light_elevation=light_elevation,
        )
        pictures, alpha = shaded_preview(trajectory, camera, look, length or None, reporter())
        return io.NodeOutput(image(pictures), mask(alpha))


NODES: list[type] = [PAMOpticalFlow, PAMTrackingVideo, PAMContactMap, PAMAmodalLayers, PAMShadedPreview]
