"""Node: draw hands and objects of small models' pictures anew where the conditions say they are."""

from comfy_api.latest import io

from . import sockets

FIRST_FRAME = "its first frame"


class PAMRefineFrames(io.ComfyNode):
    """Refine pictures with the small refiner."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMRefineFrames",
            display_name="Refine HOI Frames (PAM)",
            category=sockets.MOTION,
            description="Draws fingers, hand and object of decoded pictures anew where the conditions say they are, and steadies a "
            "clip's background. Made for the small models, whose latents lose fingers; large ones do not need it.",
            search_aliases=["detailer", "hand fix", "sharpen hands", "restore", "deflicker", "enhance video"],
            inputs=[
                sockets.Refiner.Input("refiner", tooltip="From Load PAM Mini Motion or Load PAM Mini Appearance."),
                io.Image.Input("images", tooltip="From VAE Decode: a clip of as many frames as the conditions have, or first frames."),
                sockets.HoiConditions.Input("conditions", tooltip="The bundle they were made with."),
                io.Image.Input(
                    "start_image",
                    optional=True,
                    tooltip="The clip's first frame: what stands still is taken from it. None: only the frames themselves are seen.",
                ),
                io.Float.Input("strength", default=1.0, min=0.0, max=1.0, step=0.01, tooltip="0 leaves the pictures as they are."),
                io.Combo.Input(
                    "shows",
                    options=["the clip", FIRST_FRAME],
                    tooltip="the clip: one picture after the other, as the frames of the conditions. its first frame: each shows that one.",
                ),
            ],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="The refined pictures.")],
        )

    @classmethod
    def execute(cls, refiner, images, conditions, strength, shows, start_image=None) -> io.NodeOutput:
        from ..host.progress import reporter
        from ..host.refiner import refine_images

        return io.NodeOutput(refine_images(refiner, images, conditions, start_image, strength, shows == FIRST_FRAME, reporter()))


NODES = [PAMRefineFrames]
