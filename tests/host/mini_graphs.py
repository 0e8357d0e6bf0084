"""Prompts around the shipped small models, for the host tests."""

import json

from hostkit.convert import convert
from hostkit.host import ROOT

SIZE, LENGTH = (48, 32), 5


def shipped(name: str, object_info: dict) -> dict:
    """The API prompt of a shipped workflow."""
    return convert(json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8")), object_info)


def node(kind: str, /, **inputs) -> dict:
    return {"class_type": kind, "inputs": inputs}


def find(prompt: dict, kind: str) -> str:
    """Id of the first node of a class."""
    return next(key for key, item in prompt.items() if item["class_type"] == kind)


def conditions(size=SIZE, length=LENGTH) -> dict:
    """Flat pictures as conditions: nodes "c1" to "c3"."""
    width, height = size
    return {
        "c1": node("EmptyImage", width=width, height=height, batch_size=length, color=0x5C00FF),
        "c2": node("EmptyImage", width=width, height=height, batch_size=length, color=0xF0A020),
        "c3": node("PAMPackConditions", fps=8.0, style="dexycb", segmentation=["c1", 0], depth=["c2", 0]),
    }


def sampler(model, positive, negative, latent, **changes) -> dict:
    values = dict(seed=1, steps=2, cfg=1.0, sampler_name="euler", scheduler="simple", denoise=1.0)
    return node("KSampler", model=model, positive=positive, negative=negative, latent_image=latent, **{**values, **changes})


def appearance(strength=1.0, control=("m", 3), **guide) -> dict:
    """The small Flux, guided, two steps, into a probe "out"."""
    span = {"start_percent": 0.0, "end_percent": 1.0}
    return {
        **conditions(),
        "m": node("PAMLoadMiniAppearance"),
        "p": node("CLIPTextEncode", clip=["m", 1], text="a tan skin hand reaching for a red mug on a white table, bright light"),
        "a": node(
            "PAMApplyHOIControlNet", positive=["p", 0], negative=["p", 0], control_net=list(control), conditions=["c3", 0], vae=["m", 2],
            strength=strength, **{**span, **guide},
        ),
        "e": node("EmptySD3LatentImage", width=SIZE[0], height=SIZE[1], batch_size=1),
        "s": sampler(["m", 0], ["a", 0], ["a", 1], ["e", 0]),
        "d": node("VAEDecode", samples=["s", 0], vae=["m", 2]),
        "out": node("PamProbe", value=["d", 0], name=f"appearance_{strength}"),
    }  # fmt: skip


def motion(strength=1.0, model=("m", 0), patch=("m", 3), length=LENGTH, size=SIZE, **changes) -> dict:
    """The small CogVideoX, guided, two steps, into a probe "out"."""
    return {
        **conditions(),
        "m": node("PAMLoadMiniMotion"),
        "p": node("CLIPTextEncode", clip=["m", 1], text="a tan skin hand picking up a red mug on a white table, bright light"),
        "f": node(
            "PAMCogVideoXFirstFrame", positive=["p", 0], negative=["p", 0], vae=["m", 2], start_image=["c2", 0],
            width=size[0], height=size[1], length=length,
        ),
        "a": node(
            "PAMApplyHOIControlCogVideoX", model=list(model), model_patch=list(patch), vae=["m", 2], conditions=["c3", 0],
            strength=strength, start_percent=0.0, end_percent=1.0,
        ),
        "s": sampler(["a", 0], ["f", 0], ["f", 1], ["f", 2], sampler_name="ddim", scheduler="ddim_uniform", **changes),
        "d": node("VAEDecode", samples=["s", 0], vae=["m", 2]),
        "out": node("PamProbe", value=["d", 0], name=f"motion_{strength}"),
    }  # fmt: skip
