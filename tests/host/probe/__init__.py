"""Nodes for tests only. The probe writes whatever arrives at its input into the host's output folder, where a test reads it back."""

import dataclasses
import gc
import json
import time
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_api.latest import ComfyExtension, io


class PamProbe(io.ComfyNode):
    """Saves any value as output/<name>.npz: arrays and tensors by their dotted path, the rest as JSON under ``__json__``."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PamProbe",
            category="PAM/tests",
            inputs=[io.AnyType.Input("value"), io.String.Input("name", default="probe")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, value, name):
        arrays, plain = {}, {}
        flatten("value", value, arrays, plain)
        path = Path(folder_paths.get_output_directory()) / f"{name}.npz"
        np.savez(path, __json__=np.array(json.dumps(plain)), **arrays)
        return io.NodeOutput(ui={"probe": [{"filename": path.name, "subfolder": "", "type": "output"}]})


class PamSlow(io.ComfyNode):
    """Counts slowly and can be cancelled: what a long node of the pack must behave like."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="PamSlow", category="PAM/tests", inputs=[io.Int.Input("steps", max=10000)], outputs=[io.Int.Output()])

    @classmethod
    def execute(cls, steps):
        bar = comfy.utils.ProgressBar(steps)
        for step in range(steps):
            comfy.model_management.throw_exception_if_processing_interrupted()
            bar.update_absolute(step + 1)
            time.sleep(0.01)
        return io.NodeOutput(steps)


class PamAlive(io.ComfyNode):
    """Counts the objects of a class that this process still holds."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PamAlive",
            category="PAM/tests",
            inputs=[io.String.Input("name"), io.Int.Input("again", default=0)],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, name, again):
        gc.collect()
        return io.NodeOutput(ui={"alive": [sum(type(item).__name__ == name for item in gc.get_objects())]})


class PamSpoil(io.ComfyNode):
    """Puts NaN into a latent: what a broken node of somebody else hands on."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="PamSpoil", category="PAM/tests", inputs=[io.Latent.Input("latent")], outputs=[io.Latent.Output()])

    @classmethod
    def execute(cls, latent):
        return io.NodeOutput({"samples": torch.full_like(latent["samples"], float("nan"))})


def flatten(key: str, value, arrays: dict, plain: dict) -> None:
    """Sort the leaves of nested dataclasses, dicts, lists and tuples into arrays and JSON values."""
    if isinstance(value, torch.Tensor):
        arrays[key] = value.detach().cpu().float().numpy() if value.is_floating_point() else value.cpu().numpy()
    elif isinstance(value, np.ndarray):
        arrays[key] = value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            flatten(f"{key}.{field.name}", getattr(value, field.name), arrays, plain)
    elif isinstance(value, dict):
        for name, item in value.items():
            flatten(f"{key}.{name}", item, arrays, plain)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            flatten(f"{key}.{index}", item, arrays, plain)
    elif isinstance(value, (str, int, float, bool, type(None))):
        plain[key] = value
    else:
        plain[key] = type(value).__name__


class ProbeExtension(ComfyExtension):
    """The probe as a pack."""

    async def get_node_list(self):
        return [PamProbe, PamSlow, PamAlive, PamSpoil]


async def comfy_entrypoint():
    """Entry point of the V3 API."""
    return ProbeExtension()
