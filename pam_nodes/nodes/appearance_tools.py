"""Nodes of the appearance stage: Flux out of folders, PAM's own sampler, and HOI ControlNets to files."""

from comfy_api.latest import io

from . import sockets


class PAMLoadFlux(io.ComfyNode):
    """Load FLUX.1 as a MODEL, also from a folder of shards."""

    @classmethod
    def define_schema(cls):
        from ..host.model_folders import checkpoint_names

        return io.Schema(
            node_id="PAMLoadFlux",
            display_name="Load Flux (PAM)",
            category=sockets.APPEARANCE,
            description="Loads FLUX.1-dev from the folder in which it is published (diffusers' layout, three shards), or from one file as "
            "core's Load Diffusion Model does. The MODEL is core's own.",
            search_aliases=["flux loader", "load diffusion model", "diffusers", "sharded", "unet loader"],
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=checkpoint_names("diffusion_models"),
                    tooltip="File or folder in models/diffusion_models, or a folder in models/diffusers, such as FLUX.1-dev/transformer.",
                ),
                io.Combo.Input(
                    "weight_dtype",
                    options=["default", "bf16", "fp8_e4m3fn"],
                    optional=True,
                    advanced=True,
                    tooltip="In which numbers the weights are kept. default: as the host decides; fp8_e4m3fn halves the memory.",
                ),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="For KSampler, LoRA loaders and PAM Reference Sampling.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str, **_) -> str:
        from ..host.model_folders import checkpoint_stamp

        return checkpoint_stamp(model_name, "diffusion_models")

    @classmethod
    def execute(cls, model_name: str, weight_dtype: str = "default") -> io.NodeOutput:
        from ..host.flux_model import load_flux

        return io.NodeOutput(load_flux(model_name, weight_dtype))


class PAMReferenceSampling(io.ComfyNode):
    """PAM's released sampler in the parts of core's SamplerCustomAdvanced."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMReferenceSampling",
            display_name="PAM Reference Sampling (PAM)",
            category=sockets.APPEARANCE,
            description="Noise, guider, sampler and noise levels of PAM's released appearance script: 28 Euler steps, guidance 4, a seed "
            "for each picture. Connect all four to SamplerCustomAdvanced.",
            search_aliases=["sigmas", "scheduler", "euler", "flux shift", "mu", "reproduce", "noise", "guider"],
            inputs=[
                io.Model.Input("model", tooltip="FLUX.1-dev, with or without LoRA, fp8 or GGUF."),
                io.Conditioning.Input("positive", tooltip="From Apply HOI ControlNet. A negative prompt is not used, as released."),
                io.Latent.Input("latent_image", tooltip="The empty latent that goes to the sampler; its size decides the noise levels."),
                io.Int.Input(
                    "seed",
                    default=42,
                    min=0,
                    max=0xFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Seed of the first picture; the next ones of a batch have seed + 1, + 2 and so on. PAM's begin at 42.",
                ),
                io.Int.Input("steps", default=28, min=1, max=1000, tooltip="Euler steps; 28 as released."),
                io.Float.Input("guidance", default=4.0, min=0.0, max=100.0, step=0.1, tooltip="Flux's distilled guidance; 4 as released."),
                io.Combo.Input(
                    "shift",
                    options=["released", "true"],
                    tooltip="released: PAM's noise levels, which hardly depend on the size. true: those Flux was trained for, "
                    "more noise for larger pictures.",
                ),
                io.Combo.Input(
                    "noise_on",
                    options=["gpu", "cpu"],
                    optional=True,
                    advanced=True,
                    tooltip="Where noise is drawn. gpu: as released; another kind of device gives other noise. cpu: the same everywhere.",
                ),
            ],
            outputs=[
                io.Noise.Output(display_name="NOISE", tooltip="For SamplerCustomAdvanced: noise."),
                io.Guider.Output(display_name="GUIDER", tooltip="For SamplerCustomAdvanced: model, prompt and guidance."),
                io.Sampler.Output(display_name="SAMPLER", tooltip="For SamplerCustomAdvanced: Euler."),
                io.Sigmas.Output(display_name="SIGMAS", tooltip="For SamplerCustomAdvanced: noise levels, also for any other sampler."),
            ],
        )

    @classmethod
    def execute(cls, model, positive, latent_image, seed, steps, guidance, shift, noise_on="gpu") -> io.NodeOutput:
        from ..host.reference_sampling import reference_sampling

        return io.NodeOutput(*reference_sampling(model, positive, latent_image, seed, steps, guidance, shift, noise_on == "gpu"))


class PAMSaveHOIControlNetFlux(io.ComfyNode):
    """An HOI ControlNet to a clean file."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMSaveHOIControlNetFlux",
            display_name="Save HOI ControlNet Flux (PAM)",
            category=sockets.APPEARANCE,
            description="Writes an HOI ControlNet as one safetensors file that says what it reads: conditions and their order, injection, "
            "style. Turns PAM's controlnet.bin or a training checkpoint into a file that loads faster and runs no code.",
            search_aliases=["convert controlnet", "controlnet.bin", "safetensors", "bf16", "export controlnet"],
            inputs=[
                io.ControlNet.Input("control_net", tooltip="From Load HOI ControlNet Flux or Load PAM Mini Appearance."),
                io.Combo.Input(
                    "folder", options=["controlnet", "output"], tooltip="models/controlnet, where the loader looks, or the output folder."
                ),
                io.String.Input(
                    "filename_prefix", default="PAM/hoi_controlnet", tooltip="Folder and beginning of the name; files are numbered."
                ),
                io.Combo.Input(
                    "dtype",
                    options=["as loaded", "bf16", "fp16", "fp32"],
                    tooltip="Numbers in the file. bf16 halves a float32 file; as loaded changes nothing.",
                ),
            ],
            outputs=[io.String.Output("path", tooltip="The file, relative to that folder.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, control_net, folder: str, filename_prefix: str, dtype: str) -> io.NodeOutput:
        from ..host.flux_control import save_hoi_controlnet

        name = save_hoi_controlnet(control_net, folder, filename_prefix, dtype)
        return io.NodeOutput(name, ui={"text": [name]})


NODES = [PAMLoadFlux, PAMReferenceSampling, PAMSaveHOIControlNetFlux]
