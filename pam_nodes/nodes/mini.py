"""Nodes that load the small models shipped with the pack."""

from comfy_api.latest import io

from . import sockets


class PAMLoadMiniAppearance(io.ComfyNode):
    """The shipped small Flux with its HOI ControlNet."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMLoadMiniAppearance",
            display_name="Load PAM Mini Appearance (PAM)",
            category=sockets.APPEARANCE,
            description="Small Flux-type image model with its HOI ControlNet, text encoders, VAE and a refiner of its pictures, shipped "
            "with the pack. It runs on a CPU in seconds at 288 x 192 and plugs into the same nodes as FLUX.1-dev.",
            search_aliases=["mini flux", "demo model", "embedded weights", "cpu model"],
            inputs=[],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="Flux-type model for KSampler, 288 x 192, cfg 1 to 2."),
                io.Clip.Output(display_name="CLIP", tooltip="Its text encoders; a small vocabulary of hands, colours, objects and tables."),
                io.Vae.Output(display_name="VAE", tooltip="Its image VAE; the ControlNet needs it too."),
                io.ControlNet.Output(
                    display_name="CONTROL_NET", tooltip="HOI ControlNet for Apply HOI ControlNet: depth, segmentation, keypoints."
                ),
                sockets.Refiner.Output(display_name="REFINER", tooltip="For Refine HOI Frames, after VAE Decode."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        from ..host.mini import load_appearance

        return io.NodeOutput(*load_appearance())


class PAMLoadMiniMotion(io.ComfyNode):
    """The shipped small CogVideoX with its HOI control."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMLoadMiniMotion",
            display_name="Load PAM Mini Motion (PAM)",
            category=sockets.MOTION,
            description="Small CogVideoX-type image-to-video model with its HOI control, text encoder, VAE and a refiner of its frames. "
            "Shipped with the pack; it runs on a CPU in seconds at 288 x 192, 17 frames, and plugs into CogVideoX-5b-I2V's nodes.",
            search_aliases=["mini cogvideox", "demo model", "embedded weights", "cpu video model"],
            inputs=[],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="Image-to-video model for KSampler, 288 x 192, 17 frames."),
                io.Clip.Output(display_name="CLIP", tooltip="Its T5 text encoder; the same small vocabulary as the image model."),
                io.Vae.Output(display_name="VAE", tooltip="Its video VAE; first frame and control need it too."),
                sockets.ModelPatch.Output(display_name="MODEL_PATCH", tooltip="HOI control for Apply HOI Control CogVideoX."),
                sockets.Refiner.Output(display_name="REFINER", tooltip="For Refine HOI Frames, after VAE Decode."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        from ..host.mini import load_motion

        return io.NodeOutput(*load_motion())


NODES = [PAMLoadMiniAppearance, PAMLoadMiniMotion]
