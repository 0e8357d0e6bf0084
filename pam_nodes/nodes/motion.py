"""Nodes of the motion stage: load CogVideoX and its HOI control, apply the control, keep it as a file of its own."""

import folder_paths
from comfy_api.latest import io

from . import sockets

BASE_FOLDERS = ("diffusion_models",)
CONTROL_FOLDERS = ("model_patches", "diffusion_models")
DTYPES = ["default", "bf16", "fp16", "fp8_e4m3fn"]
MODALITIES = ("depth", "segmentation", "keypoints", "normals", "tracking")
DTYPE_TIP = "In which numbers the weights are kept. default: as the host decides; fp8_e4m3fn halves the memory and costs a little quality."


class PAMLoadCogVideoX(io.ComfyNode):
    """Load CogVideoX as a MODEL."""

    @classmethod
    def define_schema(cls):
        from ..host.model_folders import checkpoint_names

        return io.Schema(
            node_id="PAMLoadCogVideoX",
            display_name="Load CogVideoX (PAM)",
            category=sockets.MOTION,
            description="Loads a CogVideoX transformer: one file, a sharded diffusers folder, ComfyUI's key names, or PAM's merged motion "
            "checkpoint, of which only the base is read. Core's loader gives this family wrong positions; this one equals diffusers.",
            search_aliases=["cogvideox loader", "load diffusion model", "i2v", "pam motion", "diffusers", "sharded"],
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=checkpoint_names(*BASE_FOLDERS),
                    tooltip="File or folder in models/diffusion_models, or a folder in models/diffusers.",
                ),
                io.Combo.Input("weight_dtype", options=DTYPES, default="default", optional=True, advanced=True, tooltip=DTYPE_TIP),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="For Apply HOI Control CogVideoX or a sampler; any sampler fits.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str, **_) -> str:
        from ..host.model_folders import checkpoint_stamp

        return checkpoint_stamp(model_name, *BASE_FOLDERS)

    @classmethod
    def execute(cls, model_name: str, weight_dtype: str = "default") -> io.NodeOutput:
        from ..host.cogvideox_model import load_cogvideox
        from ..host.model_folders import open_checkpoint
        from ..motion.base import part_of

        files = open_checkpoint(model_name, *BASE_FOLDERS)
        return io.NodeOutput(load_cogvideox(part_of(files), files.config, weight_dtype))


class PAMLoadHOIControlCogVideoX(io.ComfyNode):
    """Load PAM's motion control as a MODEL_PATCH."""

    @classmethod
    def define_schema(cls):
        from ..host.model_folders import checkpoint_names

        return io.Schema(
            node_id="PAMLoadHOIControlCogVideoX",
            display_name="Load HOI Control CogVideoX (PAM)",
            category=sockets.MOTION,
            description="Loads the control branch of PAM's motion checkpoint, from a control-only file or from the merged one, of which "
            "only the control is read. Blocks (12 or 18) and conditions (1, 3 or 5) are counted in its tensors; a file that lacks one is "
            "refused. DiffusionAsShader's checkpoint loads too.",
            search_aliases=["pam motion", "cogvideox controlnet", "diffusion as shader", "tracking control"],
            inputs=[
                io.Combo.Input(
                    "model_patch_name",
                    options=checkpoint_names(*CONTROL_FOLDERS),
                    tooltip="File or folder in models/model_patches or models/diffusion_models, or a folder in models/diffusers.",
                ),
                io.Combo.Input("weight_dtype", options=DTYPES, default="default", optional=True, advanced=True, tooltip=DTYPE_TIP),
            ],
            outputs=[sockets.ModelPatch.Output(display_name="MODEL_PATCH", tooltip="Connect to Apply HOI Control CogVideoX.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_patch_name: str, **_) -> str:
        from ..host.model_folders import checkpoint_stamp

        return checkpoint_stamp(model_patch_name, *CONTROL_FOLDERS)

    @classmethod
    def execute(cls, model_patch_name: str, weight_dtype: str = "default") -> io.NodeOutput:
        from ..host.cogvideox_model import load_hoi_control
        from ..host.model_folders import open_checkpoint
        from ..motion.checkpoint import part_of

        files = open_checkpoint(model_patch_name, *CONTROL_FOLDERS)
        return io.NodeOutput(load_hoi_control(part_of(files), files.metadata, weight_dtype))


class PAMLoadCogVideoXLoRA(io.ComfyNode):
    """Put a LoRA on CogVideoX."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMLoadCogVideoXLoRA",
            display_name="Load CogVideoX LoRA (PAM)",
            category=sockets.MOTION,
            description="Puts a LoRA on CogVideoX in the names its trainers write (diffusers, peft) or in ComfyUI's, of which core's LoRA "
            "loader knows only the last. The HOI control is not changed by it.",
            search_aliases=["lora loader", "style", "peft", "diffusers lora"],
            inputs=[
                io.Model.Input("model", tooltip="CogVideoX from Load CogVideoX, before or after Apply HOI Control CogVideoX."),
                io.Combo.Input("lora_name", options=folder_paths.get_filename_list("loras"), tooltip="File in models/loras."),
                io.Float.Input("strength", default=1.0, min=-10.0, max=10.0, step=0.01, tooltip="Factor of the LoRA; 1 as trained."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The model with the LoRA.")],
        )

    @classmethod
    def fingerprint_inputs(cls, lora_name: str, **_) -> str:
        from ..host.model_folders import checkpoint_stamp

        return checkpoint_stamp(lora_name, "loras")

    @classmethod
    def execute(cls, model, lora_name: str, strength: float) -> io.NodeOutput:
        from ..host.checkpoints import load_from
        from ..host.lora import add_lora

        return io.NodeOutput(add_lora(model, load_from("loras", lora_name)[0], strength))


class PAMSaveHOIControlCogVideoX(io.ComfyNode):
    """Keep the control of a merged checkpoint as a file of its own."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMSaveHOIControlCogVideoX",
            display_name="Save HOI Control CogVideoX (PAM)",
            category=sockets.MOTION,
            description="Writes the control branch alone (3.5 GB in bf16 instead of the merged 15 to 18 GB) as safetensors into the output "
            "folder. Move it to models/model_patches and the merged checkpoint is not needed any more.",
            search_aliases=["split checkpoint", "extract control", "save model patch"],
            inputs=[
                sockets.ModelPatch.Input("model_patch", tooltip="From Load HOI Control CogVideoX."),
                io.String.Input("filename_prefix", default="PAM/hoi_control_cogvideox", tooltip="Name in the output folder."),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, model_patch, filename_prefix: str) -> io.NodeOutput:
        from ..host.control_file import save_control

        return io.NodeOutput(ui={"text": [save_control(model_patch, filename_prefix)]})


class PAMApplyHOIControlCogVideoX(io.ComfyNode):
    """Guide a CogVideoX MODEL with a whole clip of conditions."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMApplyHOIControlCogVideoX",
            display_name="Apply HOI Control CogVideoX (PAM)",
            category=sockets.MOTION,
            description="Guides the video with depth, segmentation and keypoints of every frame. The conditions are encoded once, one "
            "modality at a time, and kept with the VAE; a missing one is left at zero.",
            search_aliases=["cogvideox controlnet", "hoi", "video control", "motion"],
            inputs=[
                io.Model.Input("model", tooltip="CogVideoX image-to-video model; LoRA and other patches may be on it."),
                sockets.ModelPatch.Input("model_patch", tooltip="From Load HOI Control CogVideoX or Load PAM Mini Motion."),
                io.Vae.Input("vae", tooltip="CogVideoX's VAE, which encodes the conditions."),
                sockets.HoiConditions.Input("conditions", tooltip="As long and as large as the video to make."),
                *sockets.guidance_inputs(),
                *(_strength(name) for name in MODALITIES),
                io.Combo.Input(
                    "unused",
                    options=["zero latents", "released evaluation", "grey"],
                    default="zero latents",
                    optional=True,
                    advanced=True,
                    tooltip="What fills a condition that the control knows but the bundle lacks. released evaluation: its first picture "
                    "(grey if missing) and nothing after it, as in PAM's DexYCB and OAKINK2 evaluation. grey: grey pictures, "
                    "as in its simulations.",
                ),
                io.Combo.Input(
                    "encoding",
                    options=["most likely", "sample"],
                    default="most likely",
                    optional=True,
                    advanced=True,
                    tooltip="What the VAE gives: its most likely latent, or a sample drawn with encoding_seed, as PAM's pipeline takes.",
                ),
                io.Int.Input(
                    "encoding_seed", default=42, min=0, max=2**63 - 1, optional=True, advanced=True, tooltip="Seed of encoding = sample."
                ),
                io.Boolean.Input(
                    "tiled",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Encode in tiles: less memory. Off: tiles if memory runs out.",
                ),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The guided model, for CogVideoX Sampling or KSampler.")],
        )

    @classmethod
    def execute(
        cls, model, model_patch, vae, conditions, strength, start_percent, end_percent,
        unused="zero latents", encoding="most likely", encoding_seed=42, tiled=False, **strengths,
    ) -> io.NodeOutput:  # fmt: skip
        from ..host.cogvideox_control import Guidance, apply_hoi_control
        from ..host.condition_latents import Encoding
        from ..host.progress import reporter

        how = Encoding(encoding_seed if encoding == "sample" else None, tiled)
        single = {name: strengths.get(f"{name}_strength", 1.0) for name in MODALITIES}
        guidance = Guidance(strength, start_percent, end_percent, single, unused, how)
        return io.NodeOutput(apply_hoi_control(model, model_patch, vae, conditions, guidance, reporter()))


def _strength(name: str) -> io.Input:
    return io.Float.Input(
        f"{name}_strength",
        default=1.0,
        min=0.0,
        max=10.0,
        step=0.01,
        optional=True,
        advanced=True,
        tooltip=f"Factor of the latents of {name} alone; 0 is as if the bundle had none.",
    )


NODES = [
    PAMLoadCogVideoX,
    PAMLoadCogVideoXLoRA,
    PAMLoadHOIControlCogVideoX,
    PAMSaveHOIControlCogVideoX,
    PAMApplyHOIControlCogVideoX,
]
