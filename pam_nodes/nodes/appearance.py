"""Nodes of the appearance stage: load and apply the HOI ControlNet of Flux."""

import folder_paths
from comfy_api.latest import io

from . import sockets


class PAMLoadHOIControlNetFlux(io.ComfyNode):
    """Load PAM's appearance checkpoint as a CONTROL_NET."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMLoadHOIControlNetFlux",
            display_name="Load HOI ControlNet Flux (PAM)",
            category=sockets.APPEARANCE,
            description="Loads a hand-object ControlNet for Flux: PAM's released double net (controlnet.bin), a single 12- or 3-channel "
            "net, or a net on VAE latents. What it is, is read from its tensors.",
            search_aliases=["pam controlnet", "flux controlnet", "xlabs controlnet", "doublecontrol"],
            inputs=[
                io.Combo.Input(
                    "control_net_name",
                    options=folder_paths.get_filename_list("controlnet"),
                    tooltip="File in models/controlnet (.bin or .safetensors).",
                ),
                io.Combo.Input(
                    "condition",
                    options=["depth", "segmentation", "keypoints", "normals"],
                    default="depth",
                    advanced=True,
                    tooltip="What a 3-channel net reads, which its file does not tell. Ignored for all other nets.",
                ),
            ],
            outputs=[io.ControlNet.Output(display_name="CONTROL_NET", tooltip="Connect to Apply HOI ControlNet.")],
        )

    @classmethod
    def fingerprint_inputs(cls, control_net_name: str, **_) -> str:
        from ..host.checkpoints import stamp

        return stamp("controlnet", control_net_name)

    @classmethod
    def execute(cls, control_net_name: str, condition: str) -> io.NodeOutput:
        from ..host.checkpoints import load_from
        from ..host.flux_control import load_hoi_controlnet

        return io.NodeOutput(load_hoi_controlnet(*load_from("controlnet", control_net_name), condition))


class PAMApplyHOIControlNet(io.ComfyNode):
    """Feed one frame of the conditions to an HOI ControlNet."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMApplyHOIControlNet",
            display_name="Apply HOI ControlNet (PAM)",
            category=sockets.APPEARANCE,
            description="Guides Flux with depth, segmentation and keypoints of one frame. Picks and orders the conditions the ControlNet "
            "was trained for; a missing one becomes the black picture that means absent.",
            search_aliases=["apply controlnet", "hoi", "first frame", "appearance"],
            inputs=[
                io.Conditioning.Input("positive", tooltip="Prompt conditioning from CLIP Text Encode."),
                io.Conditioning.Input("negative", tooltip="Negative conditioning; it is guided too."),
                io.ControlNet.Input("control_net", tooltip="From Load HOI ControlNet Flux or Load PAM Mini Appearance."),
                sockets.HoiConditions.Input("conditions", tooltip="From Render HOI Conditions or Pack HOI Conditions."),
                io.Vae.Input(
                    "vae", optional=True, tooltip="Flux's VAE, for ControlNets that read latents. The released PAM net reads pixels."
                ),
                *sockets.guidance_inputs(),
                io.Int.Input(
                    "frame",
                    default=0,
                    min=-4096,
                    max=4096,
                    advanced=True,
                    tooltip="Which frame of the conditions guides the picture: 0 is the first, -1 the last.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive", tooltip="Prompt with the guidance attached, for KSampler."),
                io.Conditioning.Output(display_name="negative", tooltip="Negative prompt with the guidance attached."),
            ],
        )

    @classmethod
    def execute(cls, positive, negative, control_net, conditions, strength, start_percent, end_percent, frame=0, vae=None) -> io.NodeOutput:
        from ..host.flux_control import apply_conditions

        span = (start_percent, end_percent)
        return io.NodeOutput(*apply_conditions(positive, negative, control_net, conditions, strength, span, frame, vae))


NODES = [PAMLoadHOIControlNetFlux, PAMApplyHOIControlNet]
