"""Run inside the host's Python: the small models with only a part of their weights on the device, as with little memory.

    python offload_in_host.py COMFYUI_FOLDER
The host never offloads on a CPU by itself. Here its own ``LoadedModel`` is told to, after the models of a sampling run were loaded:
"loaded" in part at once, as with --lowvram, or "unloaded" in part, as when another model needs the memory. Device and offload device are
both the CPU, so that results can be compared; then once more with torch's "meta" as a device truly apart, on which nothing is computed
but everything must lie. Then the layers that the host makes without weights where it has dynamic memory, what an interrupted run leaves
behind, and torch's compiler. Prints figures as JSON.
"""
# ruff: noqa: E402

import json
import sys
from pathlib import Path

comfyui = sys.argv[1]
sys.argv = ["offload", "--cpu", "--use-pytorch-cross-attention"]
sys.path[:0] = [comfyui, str(Path(__file__).resolve().parents[2])]

import comfy.options

comfy.options.enable_args_parsing()

import comfy.memory_management
import comfy.model_management as mm
import comfy.samplers
import numpy as np
import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers import set_torch_compile_wrapper
from diffusers import CogVideoXTransformer3DModel
from torch._dynamo.utils import counters
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.host.checkpoints import load_checkpoint
from pam_nodes.host.cogvideox_control import KEY, ControlRun, Guidance, apply_hoi_control
from pam_nodes.host.cogvideox_model import load_cogvideox, load_hoi_control
from pam_nodes.host.cogvideox_sampling import sampling
from pam_nodes.host.flux_control import apply_control, guidance_of, load_hoi_controlnet
from pam_nodes.host.lora import add_lora
from pam_nodes.host.mini import load_appearance, load_motion
from pam_nodes.mini.files import APPEARANCE, MOTION
from pam_nodes.motion.base import to_native
from pam_nodes.motion.slots import SlotLatents

torch.set_grad_enabled(False)
numbers = np.random.default_rng(0)
pictures = {name: numbers.integers(0, 256, (5, 32, 48, 3), dtype=np.uint8) for name in ("depth", "segmentation", "keypoints")}
conditions = ConditionVideo(8.0, **pictures)


def drawn(*shape: int) -> torch.Tensor:
    return torch.from_numpy(numbers.standard_normal(shape, dtype=np.float32))


words, image, noise = drawn(2, 7, 128), drawn(1, 16, 1, 4, 6), drawn(1, 16, 2, 4, 6)
lora = {f"transformer.transformer_blocks.{i}.attn1.to_v.lora_{part}.weight": drawn(*size) * 0.2
        for i in range(6) for part, size in (("A", (4, 192)), ("B", (192, 4)))}  # fmt: skip


class Watch:
    """A wrapper around the host's preparation of a run that offloads the run's models in part and notes what became of them."""

    def __init__(self, how: str | None, share: float = 0.5):
        self.how, self.share, self.seen = how, share, {}

    def __call__(self, executor, model, *args, **kwargs):
        prepared = executor(model, *args, **kwargs)
        for loaded in list(mm.current_loaded_models):
            if loaded.model.is_clone(model) or loaded.model in prepared[2]:
                self.note(loaded)
        return prepared

    def note(self, loaded) -> None:
        whole, before = loaded.model_memory(), loaded.model_loaded_memory()
        if self.how == "loaded":
            loaded.model.detach()
            loaded.model_load(self.share * whole)
        elif self.how == "unloaded":
            assert loaded.model_unload(self.share * whole) is False
        layers = [layer for layer in loaded.model.model.modules() if hasattr(layer, "comfy_cast_weights")]
        marked, name = marks(loaded.model.model) / len(layers), type(loaded.model.model).__name__
        self.seen[name] = {"whole": whole, "before": before, "after": loaded.model_loaded_memory(), "marked": marked}


def motion_run(model, patch, vae, watch: Watch) -> torch.Tensor:
    """Four guided steps of PAM's sampling."""
    guided = apply_hoi_control(model, patch, vae, conditions, Guidance(), lambda *_: None)
    guided.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "watch", watch)
    texts = [[[text[None], {"concat_latent_image": image}]] for text in words]
    guider, sampler, sigmas = sampling(guided, *texts, "quality (as released)", 4, 6.0, "preset", 1.0)
    return guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=1)


def flux_run(model, vae, net, watch: Watch) -> torch.Tensor:
    """Four guided steps of Euler."""
    watched = model.clone()
    watched.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "watch", watch)
    positive = [[words[:1], {"pooled_output": words[:1, 0, :64]}]]
    guidance, _ = guidance_of(net, conditions, "0", dict.fromkeys(net.control_model.config.conditions, 1.0), (1.0, 1.0), None)
    positive = apply_control(positive, [], net, guidance, 1.0, (0.0, 1.0), vae)[0]
    guider = comfy.samplers.CFGGuider(watched)
    guider.inner_set_conds({"positive": positive})
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 4)
    start = noise[:, :, 0]
    return guider.sample(start, torch.zeros_like(start), comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=1)


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


def in_parts(run) -> dict:
    """A run with all weights loaded, in both ways in part, and again after everything was unloaded; ``run`` maps a Watch to latents."""
    full = Watch(None)
    result = run(full)
    figures = {"full": {"models": full.seen}, "std": float(result.std())}
    for how in ("loaded", "unloaded"):
        watch = Watch(how)
        figures[how] = {"difference": apart(run(watch), result), "models": watch.seen}
        used = [loaded.model for loaded in mm.current_loaded_models if type(loaded.model.model).__name__ in watch.seen]
        mm.unload_all_models()
        figures[how]["left"] = sum(model.loaded_size() + marks(model.model) for model in used)
    figures["again"] = apart(run(Watch(None)), result)
    return figures


def marks(module: torch.nn.Module) -> int:
    """How many layers the host has marked: their weights are brought to the device when they are used."""
    return sum(hasattr(layer, "prev_comfy_cast_weights") for layer in module.modules())


def motion() -> dict:
    model, _, vae, patch, _ = load_motion()
    plain = motion_run(model, patch, vae, Watch(None))
    with_lora = add_lora(model, lora, 1.0)
    figures = {"plain": in_parts(lambda watch: motion_run(model, patch, vae, watch))}
    figures["lora"] = in_parts(lambda watch: motion_run(with_lora, patch, vae, watch))
    figures["lora"]["effect"] = apart(motion_run(with_lora, patch, vae, Watch(None)), plain)
    return figures


def small_numbers() -> dict:
    """fp8 weights of both, a LoRA and half of the weights offloaded, against the same in float32, fully loaded."""
    model, _, vae, patch, _ = load_motion()
    exact = motion_run(add_lora(model, lora, 1.0), patch, vae, Watch(None))
    plain = motion_run(model, patch, vae, Watch(None))
    mm.unload_all_models()
    model = load_cogvideox(load_checkpoint(MOTION.model)[0], None, "fp8_e4m3fn")
    patch = load_hoi_control(*load_checkpoint(MOTION.control), "fp8_e4m3fn")
    with_lora = add_lora(model, lora, 1.0)
    figures = {"effect": float((exact - plain).abs().mean())}
    for how in (None, "loaded", "unloaded"):
        watch = Watch(how)
        result = motion_run(with_lora, patch, vae, watch)
        figures[str(how)] = {"difference": float((result - exact).abs().mean()), "models": watch.seen}
        mm.unload_all_models()
    return figures


def flux() -> dict:
    model, _, vae, net, _ = load_appearance()
    return in_parts(lambda watch: flux_run(model, vae, net, watch))


class OneDevice(TorchDispatchMode):
    """While open, no operation may mix devices, but for copies and single numbers."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor) and leaf.ndim]
        if len({tensor.device for tensor in tensors}) > 1 and function is not torch.ops.aten.copy_.default:
            raise RuntimeError(f"{function} of tensors on {[str(tensor.device) for tensor in tensors]}")
        return function(*args, **(kwargs or {}))


def devices() -> dict[str, str]:
    """Half of the weights on another device: a guided pass of CogVideoX with learned positions and a LoRA, and one of the Flux control."""
    there = torch.device("meta")
    base = CogVideoXTransformer3DModel(
        num_attention_heads=3, attention_head_dim=64, in_channels=32, out_channels=16, time_embed_dim=256, text_embed_dim=128,
        num_layers=6, sample_width=6, sample_height=4, sample_frames=5, max_text_seq_length=226, use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )  # fmt: skip
    model, patch = load_cogvideox(base.state_dict(), dict(base.config)), load_hoi_control(*load_checkpoint(MOTION.control))
    net = load_hoi_controlnet(*load_checkpoint(APPEARANCE.control))
    model = add_lora(model, lora, 1.0)
    for patcher in (model, patch, net.control_model_wrapped):
        patcher.partially_load(there, 0.5 * patcher.model_size())
        assert {parameter.device.type for parameter in patcher.model.parameters()} == {"cpu", "meta"}
    run = ControlRun(patch, [SlotLatents(drawn(1, 16, 2, 4, 6), image) for _ in patch.model.config.slots], 1.0, (1e9, 0.0))
    x, text, time = drawn(1, 32, 2, 4, 6).to(there), words[:1].to(there), torch.tensor([500.0]).to(there)
    with OneDevice():
        video = model.model.diffusion_model(x, time, text, transformer_options={"wrappers": {WrappersMP.DIFFUSION_MODEL: {"test": [run]}}})
        tokens = net.control_model.encode_hint(drawn(1, 48, 4, 6).to(there))
        residuals = net.control_model(x[:, :16, 0], tokens, time, text, text[:, 0, :64])
    return {"video": str(video.device), "residuals": str(residuals[-1].device)}


def dynamic() -> dict:
    """The loaders where the host has dynamic memory (NVIDIA): its linear layers have no weights until a file is copied into them."""
    model, _, vae, patch, _ = load_motion()
    flux_model, _, flux_vae, net, _ = load_appearance()
    files = [load_checkpoint(file) for file in (MOTION.model, MOTION.control, APPEARANCE.control)]
    comfy.memory_management.aimdo_enabled = True
    try:
        late = [load_cogvideox(files[0][0]), load_hoi_control(*files[1]), load_hoi_controlnet(*files[2])]
        said = []
        for changed in ({"blocks.0.ff_proj.bias": None}, {"blocks.0.q.weight": torch.zeros(192, 191)}):
            tensors = to_native(files[0][0]) | changed
            try:
                load_cogvideox({key: value for key, value in tensors.items() if value is not None})
            except ValueError as error:
                said.append(str(error))
        small = {key: value.to(torch.float8_e4m3fn) for key, value in files[0][0].items()}
        late_small = load_cogvideox(small)
    finally:
        comfy.memory_management.aimdo_enabled = False
    for patcher in (late[0], late[1], late[2].control_model_wrapped, late_small):
        patcher.force_cast_weights = True  # such hosts cast every layer
    return {
        "said": said,
        "motion": apart(motion_run(late[0], late[1], vae, Watch(None)), motion_run(model, patch, vae, Watch(None))),
        "fp8 file": apart(motion_run(late_small, patch, vae, Watch(None)), motion_run(load_cogvideox(small), patch, vae, Watch(None))),
        "flux": apart(flux_run(flux_model, flux_vae, late[2], Watch(None)), flux_run(flux_model, flux_vae, net, Watch(None))),
    }


def interrupted() -> dict[str, int]:
    """Tensors of the control that a run holds while it samples, and after it was interrupted."""
    model, _, vae, patch, _ = load_motion()
    held, runs = [], []

    def stop(executor, x, timestep, context, ofs, transformer_options, **kwargs):
        result = executor(x, timestep, context, ofs, transformer_options, **kwargs)
        runs.extend(transformer_options["wrappers"][WrappersMP.DIFFUSION_MODEL][KEY])
        held.append(len(runs[0].constants))
        mm.interrupt_current_processing()
        return result

    watched = model.clone()
    watched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "stop", stop)
    try:
        motion_run(watched, patch, vae, Watch(None))
    except mm.InterruptProcessingException:
        return {"held": held[0], "passes": len(held), "left": len(runs[0].constants)}
    raise AssertionError("The run was not interrupted.")


def compiled() -> dict[str, float]:
    """The guided clip through torch's compiler, as core's Torch Compile Model sets it up, without generating code."""
    model, _, vae, patch, _ = load_motion()
    plain = motion_run(model, patch, vae, Watch(None))
    traced = model.clone()
    set_torch_compile_wrapper(model=traced, backend="eager")
    return {"difference": apart(motion_run(traced, patch, vae, Watch(None)), plain), "graphs": counters["stats"]["unique_graphs"]}


def main() -> None:
    figures = {"motion": motion(), "fp8": small_numbers(), "flux": flux(), "devices": devices(), "dynamic": dynamic()}
    figures |= {"interrupted": interrupted(), "compiled": compiled()}
    sys.stdout.write(json.dumps(figures) + "\n")


main()
