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
            "net, or a net on VAE latents. What it is, is read from its tensors, also out of a training state.",
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
                io.Combo.Input(
                    "weight_dtype",
                    options=["default", "fp8_e4m3fn"],
                    optional=True,
                    advanced=True,
                    tooltip="fp8 halves the memory of the ControlNet (3 GB to 1.5 GB for PAM's), with a small loss of precision.",
                ),
            ],
            outputs=[io.ControlNet.Output(display_name="CONTROL_NET", tooltip="Connect to Apply HOI ControlNet.")],
        )

    @classmethod
    def fingerprint_inputs(cls, control_net_name: str, **_) -> str:
        from ..host.model_folders import checkpoint_stamp

        return checkpoint_stamp(control_net_name, "controlnet")

    @classmethod
    def execute(cls, control_net_name: str, condition: str, weight_dtype: str = "default") -> io.NodeOutput:
        from ..host.checkpoints import load_from
        from ..host.flux_control import load_hoi_controlnet

        return io.NodeOutput(load_hoi_controlnet(*load_from("controlnet", control_net_name), condition, weight_dtype))


class PAMApplyHOIControlNet(io.ComfyNode):
    """Feed frames of the conditions to an HOI ControlNet."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMApplyHOIControlNet",
            display_name="Apply HOI ControlNet (PAM)",
            category=sockets.APPEARANCE,
            description="Guides Flux with depth, segmentation and keypoints of one frame, or of several for as many pictures. Picks and "
            "orders the conditions the ControlNet was trained for; a missing one becomes the black picture that means absent.",
            search_aliases=["apply controlnet", "hoi", "first frame", "appearance", "masked controlnet", "condition strength"],
            inputs=[
                io.Conditioning.Input("positive", tooltip="Prompt conditioning from CLIP Text Encode."),
                io.Conditioning.Input("negative", tooltip="Negative conditioning; it is guided too."),
                io.ControlNet.Input("control_net", tooltip="From Load HOI ControlNet Flux or Load PAM Mini Appearance."),
                sockets.HoiConditions.Input("conditions", tooltip="From Render HOI Conditions or Pack HOI Conditions."),
                io.Vae.Input(
                    "vae", optional=True, tooltip="Flux's VAE, for ControlNets that read latents. The released PAM net reads pixels."
                ),
                io.Mask.Input("mask", optional=True, tooltip="Where the conditions guide: 1 fully, 0 not at all. Empty: everywhere."),
                *sockets.guidance_inputs(),
                io.String.Input(
                    "frames",
                    default="0",
                    optional=True,
                    advanced=True,
                    tooltip="Which frame of the conditions guides: 0 is the first, -1 the last. Several make a batch of as many pictures: "
                    "0, 8, 16 or 0:49:8 (from, before, step); set batch_size of the empty latent to their number.",
                ),
                *modality_inputs(),
                *branch_inputs(),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive", tooltip="Prompt with the guidance attached, for KSampler."),
                io.Conditioning.Output(display_name="negative", tooltip="Negative prompt with the guidance attached."),
            ],
        )

    @classmethod
    def execute(
        cls, positive, negative, control_net, conditions, strength, start_percent, end_percent, vae=None, mask=None, frames="0",
        depth=1.0, segmentation=1.0, keypoints=1.0, normals=0.0, physical=1.0, semantic=1.0,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.flux_control import apply_control, guidance_of

        modalities = {"depth": depth, "segmentation": segmentation, "keypoints": keypoints, "normals": normals}
        guidance, warnings = guidance_of(control_net, conditions, frames, modalities, (physical, semantic), mask)
        guided = apply_control(positive, negative, control_net, guidance, strength, (start_percent, end_percent), vae)
        return io.NodeOutput(*guided, ui={"text": warnings} if warnings else None)


def modality_inputs() -> list[io.Input]:
    """Share of each condition picture, 0 to 1."""
    tips = {
        "depth": "Share of the depth picture: 1 as trained, 0 leaves it out (the black picture PAM trained with for absent conditions).",
        "segmentation": "Share of the segmentation: 1 as trained, 0 leaves it out.",
        "keypoints": "Share of the hand keypoints: 1 as trained, 0 leaves them out.",
        "normals": "Share of the normals. 0, because PAM was trained without them; 1 for nets that read them.",
    }
    return [
        io.Float.Input(name, default=float(name != "normals"), min=0.0, max=1.0, step=0.01, optional=True, advanced=True, tooltip=tip)
        for name, tip in tips.items()
    ]


def branch_inputs() -> list[io.Input]:
    """Factor of each branch of a double net."""
    tips = {
        "physical": "Factor of the first net of PAM's double ControlNet (depth and normals). Nets of one branch ignore it.",
        "semantic": "Factor of the second net of PAM's double ControlNet (keypoints and segmentation). Nets of one branch ignore it.",
    }
    return [
        io.Float.Input(name, default=1.0, min=0.0, max=10.0, step=0.01, optional=True, advanced=True, tooltip=tip)
        for name, tip in tips.items()
    ]


NODES = [PAMLoadHOIControlNetFlux, PAMApplyHOIControlNet]
