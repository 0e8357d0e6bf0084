"""PAM's appearance sampler in the host's own parts: NOISE, GUIDER and SIGMAS for core's SamplerCustomAdvanced."""

from __future__ import annotations

import comfy.model_management
import comfy.samplers
import node_helpers
import torch

from ..appearance.schedule import noise, sigmas


class ReferenceNoise:
    """NOISE of the released rule: picture i of a batch has a generator of its own with seed + i."""

    def __init__(self, seed: int, device: torch.device):
        self.seed, self.device = seed, device

    def generate_noise(self, input_latent: dict) -> torch.Tensor:
        latent = input_latent["samples"]
        indices = input_latent.get("batch_index") or range(latent.shape[0])
        return noise([self.seed + index for index in indices], *latent.shape[-2:], self.device).to("cpu", latent.dtype)


class PromptOnly(comfy.samplers.CFGGuider):
    """GUIDER without a negative prompt: one forward pass a step."""

    def __init__(self, model, positive: list):
        super().__init__(model)
        self.inner_set_conds({"positive": positive})


def reference_sampling(
    model, positive: list, latent: dict, seed: int, steps: int, guidance: float, shift: str, on_gpu: bool
) -> tuple[ReferenceNoise, PromptOnly, object, torch.Tensor]:
    """(NOISE, GUIDER, SAMPLER, SIGMAS) as released.

    Args:
        latent: the empty latent that will be sampled; its size decides the noise levels.
        guidance: Flux's distilled guidance, given to the model and to its ControlNets.
        shift: "released" or "true" (see ``sigmas``).
        on_gpu: draw the noise on the host's device, as released; False on the CPU.
    """
    device = comfy.model_management.get_torch_device() if on_gpu else torch.device("cpu")
    height, width = latent["samples"].shape[-2:]
    guided = node_helpers.conditioning_set_values(positive, {"guidance": guidance})
    levels = sigmas(height, width, steps, shift)
    return ReferenceNoise(seed, device), PromptOnly(model, guided), comfy.samplers.sampler_object("euler"), levels
