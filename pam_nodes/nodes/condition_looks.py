"""Nodes: other looks, sizes and single parts of a condition bundle."""

from comfy_api.latest import io

from . import tensors
from .sockets import CONDITIONS, HoiConditions


class PAMDepthLook(io.ComfyNode):
    """Depth in another look or range."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMDepthLook",
            display_name="Depth Look (PAM)",
            category=CONDITIONS,
            description="Shows the depth of a bundle in PAM's colours, in plain grey for any depth ControlNet, or in metres, "
            "over a range you choose. Nothing is drawn again.",
            search_aliases=["depth", "grey depth", "metric depth", "inferno", "near far", "disparity"],
            inputs=[
                HoiConditions.Input("conditions", tooltip="The bundle of Render HOI Conditions."),
                io.Combo.Input(
                    "look",
                    options=["pam", "grey inverse", "grey linear", "metres"],
                    tooltip="pam: inferno on black. grey inverse: near is white, linear in 1 / z, as depth estimators have it. "
                    "grey linear: linear in z. metres: the values themselves, for other nodes to compute with; not for looking at.",
                ),
                io.Combo.Input(
                    "range",
                    options=["pam", "clip", "fixed"],
                    tooltip="pam: comes near PAM's training pictures. clip: from the nearest to the farthest point of the clip. "
                    "fixed: near and far below, so that several clips have one scale.",
                ),
                io.Float.Input(
                    "near", default=0.3, min=0.001, max=100.0, step=0.01, round=False, tooltip="fixed: metres that are brightest."
                ),
                io.Float.Input(
                    "far", default=1.5, min=0.001, max=1000.0, step=0.01, round=False, tooltip="fixed: metres that are darkest."
                ),
            ],
            outputs=[
                HoiConditions.Output(display_name="conditions", tooltip="The bundle with this depth picture; unchanged for metres."),
                io.Image.Output(display_name="depth", tooltip="The depth clip; background 0."),
                io.Float.Output(display_name="near", tooltip="Metres at the bright end."),
                io.Float.Output(display_name="far", tooltip="Metres at the dark end; may be infinite for pam."),
            ],
        )

    @classmethod
    def execute(cls, conditions, look: str, range: str, near: float, far: float) -> io.NodeOutput:
        import torch

        from ..conditions.memory import IMAGE
        from ..conditions.relook import depth_look

        tensors.check_bundle(conditions, IMAGE + 4, "the depth picture")
        clip, pictures, limits = depth_look(conditions, look, range, near, far)
        return io.NodeOutput(clip, torch.from_numpy(pictures), *limits)


class PAMSegmentationLook(io.ComfyNode):
    """Segmentation in other colours."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMSegmentationLook",
            display_name="Segmentation Look (PAM)",
            category=CONDITIONS,
            description="Colours the segmentation of a bundle anew: as another YCB object, in the colours of DexYCB or OAKINK2, "
            "or in your own. Nothing is drawn again.",
            search_aliases=["segmentation", "palette", "ycb", "mask colors", "object id", "ade20k"],
            inputs=[
                HoiConditions.Input("conditions", tooltip="The bundle of Render HOI Conditions."),
                io.Combo.Input("palette", options=["dexycb", "oakink2", "custom"], tooltip="Whose colours; custom takes those below."),
                io.String.Input(
                    "objects",
                    default="",
                    tooltip="dexycb, oakink2: which YCB object each object counts as, by name or id, separated by commas: mug, "
                    "cracker box. Empty keeps the labels set where the objects were loaded.",
                ),
                io.Color.Input("hand_color", default="#5c00ff", tooltip="custom: colour of every hand.", advanced=True),
                io.String.Input(
                    "object_colors",
                    default="#08ff33",
                    tooltip="custom: colours of the objects in turn, separated by commas.",
                    advanced=True,
                ),
            ],
            outputs=[
                HoiConditions.Output(display_name="conditions", tooltip="The bundle with this segmentation."),
                io.Image.Output(display_name="segmentation", tooltip="The segmentation clip, black background."),
            ],
        )

    @classmethod
    def execute(cls, conditions, palette: str, objects: str, hand_color: str, object_colors: str) -> io.NodeOutput:
        from ..conditions.memory import IMAGE
        from ..conditions.relook import segmentation_look
        from ..host.progress import reporter

        tensors.check_bundle(conditions, IMAGE, "the segmentation picture")
        clip = segmentation_look(conditions, palette, objects, hand_color, object_colors)
        return io.NodeOutput(clip, tensors.image(clip.stored("segmentation"), reporter()))


class PAMFitConditions(io.ComfyNode):
    """The size, length and speed a model was trained on."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMFitConditions",
            display_name="Fit HOI Conditions (PAM)",
            category=CONDITIONS,
            description="Brings a bundle to a model's picture size, number of frames and speed by the rules of PAM's data "
            "loaders: stretched, not cropped, each modality with its own filter.",
            search_aliases=["resize", "stretch", "49 frames", "fps", "resample", "dexycb", "720x480"],
            inputs=[
                HoiConditions.Input("conditions", tooltip="The bundle to change."),
                io.Int.Input(
                    "width", default=720, min=16, max=8192, step=8, tooltip="Pixels. PAM: 640 for the image model, 720 for video."
                ),
                io.Int.Input("height", default=480, min=16, max=8192, step=8, tooltip="Pixels. PAM: 480."),
                io.Int.Input("length", default=49, min=0, max=100000, tooltip="Frames; 0 keeps all. PAM: 49."),
                io.Combo.Input(
                    "frames",
                    options=["every n-th", "first"],
                    tooltip="every n-th: n = frames / length, rounded down, from the first frame on, as PAM cuts data sets. first: "
                    "consecutive frames, as it cuts simulations.",
                ),
                io.Float.Input("fps", default=15.0, min=0.0, max=240.0, step=1.0, tooltip="Frames a second it is played at; 0 keeps it."),
            ],
            outputs=[
                HoiConditions.Output(display_name="conditions", tooltip="The fitted bundle; optical flow is dropped if the size changed.")
            ],
        )

    @classmethod
    def execute(cls, conditions, width: int, height: int, length: int, frames: str, fps: float) -> io.NodeOutput:
        from ..conditions.pack import fitted

        return io.NodeOutput(fitted(conditions, width, height, length or None, frames == "every n-th", fps or None))


class PAMPickCondition(io.ComfyNode):
    """One modality as pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMPickCondition",
            display_name="Pick HOI Condition (PAM)",
            category=CONDITIONS,
            description="Gives one modality of a bundle as plain images. For long clips: only what is picked takes memory.",
            search_aliases=["depth", "segmentation", "keypoints", "normals", "tracking", "control video", "unpack"],
            inputs=[
                HoiConditions.Input("conditions", tooltip="The bundle."),
                io.Combo.Input(
                    "modality",
                    options=["depth", "segmentation", "keypoints", "normals", "tracking"],
                    tooltip="Which one; black if the bundle has none.",
                ),
                io.Int.Input("start", default=0, min=0, max=100000, tooltip="First frame."),
                io.Int.Input("length", default=0, min=0, max=100000, tooltip="Frames from there; 0 takes all."),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="The pictures of that modality.")],
        )

    @classmethod
    def execute(cls, conditions, modality: str, start: int, length: int) -> io.NodeOutput:
        from ..conditions.memory import IMAGE
        from ..host.progress import reporter

        if conditions.stored(modality) is not None:
            tensors.check_bundle(conditions, IMAGE, f"the {modality} picture", length)
        return io.NodeOutput(tensors.modality(conditions, modality, start, length or None, reporter()))


NODES: list[type] = [PAMPickCondition, PAMDepthLook, PAMSegmentationLook, PAMFitConditions]
