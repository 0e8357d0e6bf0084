"""Nodes of the motion stage: load and apply the HOI control of CogVideoX, and start from a first frame."""

import folder_paths
from comfy_api.latest import io

from . import sockets


class PAMLoadCogVideoX(io.ComfyNode):
    """Load CogVideoX image-to-video as a MODEL."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMLoadCogVideoX",
            display_name="Load CogVideoX (PAM)",
            category=sockets.MOTION,
            description="Loads a CogVideoX 1.0 image-to-video transformer in one file, in diffusers' or ComfyUI's key names, or PAM's "
            "merged motion checkpoint. Core's loader gives this family wrong positions; this one equals diffusers.",
            search_aliases=["cogvideox loader", "load diffusion model", "i2v", "pam motion"],
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=folder_paths.get_filename_list("diffusion_models"),
                    tooltip="File in models/diffusion_models.",
                )
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="For Apply HOI Control CogVideoX or KSampler; any sampler fits.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str, **_) -> str:
        from ..host.checkpoints import stamp

        return stamp("diffusion_models", model_name)

    @classmethod
    def execute(cls, model_name: str) -> io.NodeOutput:
        from ..host.checkpoints import load_from
        from ..host.cogvideox import load_cogvideox

        return io.NodeOutput(load_cogvideox(load_from("diffusion_models", model_name)[0]))


class PAMLoadHOIControlCogVideoX(io.ComfyNode):
    """Load PAM's motion control as a MODEL_PATCH."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMLoadHOIControlCogVideoX",
            display_name="Load HOI Control CogVideoX (PAM)",
            category=sockets.MOTION,
            description="Loads the control branch of PAM's motion checkpoint, from a control-only file or from the merged one. "
            "Block and condition counts are read from its tensors.",
            search_aliases=["pam motion", "cogvideox controlnet", "diffusion as shader", "tracking control"],
            inputs=[
                io.Combo.Input(
                    "model_patch_name",
                    options=folder_paths.get_filename_list("model_patches"),
                    tooltip="File in models/model_patches (.bin or .safetensors).",
                )
            ],
            outputs=[sockets.ModelPatch.Output(display_name="MODEL_PATCH", tooltip="Connect to Apply HOI Control CogVideoX.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_patch_name: str, **_) -> str:
        from ..host.checkpoints import stamp

        return stamp("model_patches", model_patch_name)

    @classmethod
    def execute(cls, model_patch_name: str) -> io.NodeOutput:
        from ..host.checkpoints import load_from
        from ..host.cogvideox import load_hoi_control

        return io.NodeOutput(load_hoi_control(*load_from("model_patches", model_patch_name)))


class PAMApplyHOIControlCogVideoX(io.ComfyNode):
    """Guide a CogVideoX MODEL with a whole clip of conditions."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMApplyHOIControlCogVideoX",
            display_name="Apply HOI Control CogVideoX (PAM)",
            category=sockets.MOTION,
            description="Guides the video with depth, segmentation and keypoints of every frame. The conditions are encoded once, one "
            "modality at a time; a missing one is left at zero.",
            search_aliases=["cogvideox controlnet", "hoi", "video control", "motion"],
            inputs=[
                io.Model.Input("model", tooltip="CogVideoX image-to-video model; LoRA and other patches may be on it."),
                sockets.ModelPatch.Input("model_patch", tooltip="From Load HOI Control CogVideoX or Load PAM Mini Motion."),
                io.Vae.Input("vae", tooltip="CogVideoX's VAE, which encodes the conditions."),
                sockets.HoiConditions.Input("conditions", tooltip="As long and as large as the video to make."),
                *sockets.guidance_inputs(),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The guided model, for KSampler.")],
        )

    @classmethod
    def execute(cls, model, model_patch, vae, conditions, strength, start_percent, end_percent) -> io.NodeOutput:
        from ..host.cogvideox import apply_hoi_control
        from ..host.progress import reporter

        guided = apply_hoi_control(model, model_patch, vae, conditions, strength, start_percent, end_percent, reporter())
        return io.NodeOutput(guided)


class PAMCogVideoXFirstFrame(io.ComfyNode):
    """Start a CogVideoX clip from a picture."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMCogVideoXFirstFrame",
            display_name="CogVideoX First Frame (PAM)",
            category=sockets.MOTION,
            description="Gives CogVideoX its first frame and an empty latent of the right size. Any picture will do: the appearance "
            "stage's, a photo, another model's.",
            search_aliases=["image to video", "i2v", "start image", "empty video latent", "cogvideox"],
            inputs=[
                io.Conditioning.Input("positive", tooltip="Prompt conditioning from CLIP Text Encode."),
                io.Conditioning.Input("negative", tooltip="Negative conditioning."),
                io.Vae.Input("vae", tooltip="CogVideoX's VAE."),
                io.Image.Input(
                    "start_image", optional=True, tooltip="First frame, stretched to the video's size as in PAM. None: text to video."
                ),
                io.Int.Input(
                    "width", default=720, min=16, max=4096, step=16, tooltip="Video width in pixels; 720 for CogVideoX-5b, 192 for mini."
                ),
                io.Int.Input(
                    "height", default=480, min=16, max=4096, step=16, tooltip="Video height in pixels; 480 for CogVideoX-5b, 128 for mini."
                ),
                io.Int.Input("length", default=49, min=1, max=1025, step=4, tooltip="Frames: 4k + 1. 49 for CogVideoX-5b, 17 for mini."),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive", tooltip="Prompt with the first frame attached."),
                io.Conditioning.Output(display_name="negative", tooltip="Negative prompt with the first frame attached."),
                io.Latent.Output(display_name="LATENT", tooltip="Empty video latent for KSampler."),
            ],
        )

    @classmethod
    def execute(cls, positive, negative, vae, width, height, length, start_image=None) -> io.NodeOutput:
        from ..host.cogvideox import start_from_image

        return io.NodeOutput(*start_from_image(positive, negative, vae, start_image, width, height, length))


NODES = [PAMLoadCogVideoX, PAMLoadHOIControlCogVideoX, PAMApplyHOIControlCogVideoX, PAMCogVideoXFirstFrame]
