"""The shipped small workflow as a prompt that shows a held-out scene, and once more without conditions or from the true first frame."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.held_out import Scene
from pam_nodes.headless.files import save_picture
from pam_nodes.headless.motion_files import write_motion_file
from tests.host.mini_graphs import find, node

LOADERS = {"picture": "PAMLoadMiniAppearance", "clip": "PAMLoadMiniMotion"}
FIRST = "PAMCogVideoXFirstFrame"
REFINE = "PAMRefineFrames"
CONTROLS = ("PAMApplyHOIControlNet", "PAMApplyHOIControlCogVideoX", REFINE)
"""Nodes that are told the conditions, with a strength."""
SAMPLED = ("VAEDecode", "KSampler", FIRST, *CONTROLS)
"""Nodes that a run with another strength or first frame has of its own."""


def setting_of(graph: dict) -> dict:
    """Size, length and frames a second of the workflow's clips."""
    camera, rollout = (graph[find(graph, kind)]["inputs"] for kind in ("PAMHOICamera", "PAMGraspRollout"))
    return {"size": (camera["width"], camera["height"]), "length": rollout["length"], "fps": rollout["fps"]}


def write_inputs(folder: Path, index: int, scene: Scene) -> None:
    """The scene's files for the host: motion, mesh and true first frame."""
    import trimesh

    write_motion_file(folder / "motion" / f"scene_{index}.npz", scene.trajectory)
    (folder / "3d").mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(scene.mesh.vertices, scene.mesh.faces, process=False).export(folder / "3d" / f"scene_{index}.ply")
    save_picture(folder / f"scene_{index}.png", scene.pictures[0])


def scene_prompt(graph: dict, index: int, scene: Scene, free: bool) -> dict:
    """The workflow on a scene, its results in probes.

    Returns:
        The prompt with probes "picture" and "chain", "clip" from the true first frame, the pixels "hand" and "object"; with ``free``
        also "free picture", "free chain" and "free clip", which the conditions do not guide.
    """
    prompt = _shown(json.loads(json.dumps(graph)), index, scene)
    prompt["truth"] = node("LoadImage", image=f"scene_{index}.png")
    picture, clip = (result(prompt, loader) for loader in LOADERS.values())
    chain = [key for key in upstream(prompt, clip) if prompt[key]["class_type"] in SAMPLED]
    own = [key for key in chain if key not in upstream(prompt, picture)]
    prompt |= _again(prompt, own, "clip", start="truth")
    wanted = {"picture": picture, "chain": clip, "clip": f"{clip} clip"}
    if free:
        prompt |= _again(prompt, chain, "free", strength=0.0)
        prompt |= _again(prompt, own, "free clip", start="truth", strength=0.0)
        wanted |= {"free picture": f"{picture} free", "free chain": f"{clip} free", "free clip": f"{clip} free clip"}
    probes = {name: node("PamProbe", value=[key, 0], name=f"{name}_{index}") for name, key in wanted.items()}
    render = find(prompt, "PAMRenderConditions")
    probes |= {name: node("PamProbe", value=[render, place], name=f"{name}_{index}") for name, place in (("hand", 4), ("object", 5))}
    kept = {key for probe in probes.values() for key in upstream(prompt, probe["inputs"]["value"][0])}
    return {key: prompt[key] for key in kept} | probes


def decoder(prompt: dict, loader: str) -> str:
    """Id of the node that decodes a small model's latents."""
    return next(
        key for key, item in prompt.items() if item["class_type"] == "VAEDecode" and item["inputs"]["vae"][0] == find(prompt, loader)
    )


def result(prompt: dict, loader: str) -> str:
    """Id of the node that has a small model's pictures: that which refines them, or else decodes them."""
    made = decoder(prompt, loader)
    refined = (key for key, item in prompt.items() if item["class_type"] == REFINE and item["inputs"]["images"][0] == made)
    return next(refined, made)


def upstream(prompt: dict, key: str) -> list[str]:
    """A node and all it depends on."""
    found = [key]
    for here in found:
        sources = [value[0] for value in prompt[here]["inputs"].values() if isinstance(value, list)]
        found += [source for source in dict.fromkeys(sources) if source not in found]
    return found


def _shown(prompt: dict, index: int, scene: Scene) -> dict:
    """The workflow with the scene's motion, object, camera, words and seeds."""
    hand, thing, motion = (find(prompt, kind) for kind in ("PAMLoadManoHand", "PAMDemoObject", "PAMGraspRollout"))
    prompt[hand]["inputs"]["side"] = scene.trajectory.hands[0].model.side
    mesh = {"name": scene.mesh.name, "label": scene.mesh.label, "recenter": False, "units": "m", "scale": 1.0, "up_axis": "z"}
    prompt[thing] = node("PAMLoadObjectMesh", mesh_file=f"3d/scene_{index}.ply", **mesh)
    placing = {"up_axis": "z", "ground": False, "recenter": False, "fps": 0.0, "betas": "use", "dataset_betas": "", "fix_pinky": False}
    prompt[motion] = node("PAMLoadRecordedMotion", motion_file=f"motion/scene_{index}.npz", hand=[hand, 0], object=[thing, 0], **placing)
    prompt[find(prompt, "PAMHOICamera")]["inputs"].update(scene.view)
    prompt[find(prompt, "PAMRenderConditions")]["inputs"]["preview"] = False
    words = {find(prompt, LOADERS["picture"]): scene.frame_prompts[0], find(prompt, LOADERS["clip"]): scene.prompt}
    for item in prompt.values():
        if item["class_type"] == "CLIPTextEncode" and item["inputs"]["text"]:
            item["inputs"]["text"] = words[item["inputs"]["clip"][0]]
        if item["class_type"] == "KSampler":
            item["inputs"]["seed"] = index
    return prompt


def _again(prompt: dict, keys: list[str], tag: str, start: str | None = None, strength: float | None = None) -> dict:
    """Nodes once more under "<id> <tag>", from another first frame or with another strength of the conditions."""
    made = {}
    for key in keys:
        item = json.loads(json.dumps(prompt[key]))
        links = {name: value for name, value in item["inputs"].items() if isinstance(value, list) and value[0] in keys}
        item["inputs"] |= {name: [f"{source} {tag}", place] for name, (source, place) in links.items()}
        if start is not None and item["class_type"] in (FIRST, REFINE):
            item["inputs"]["start_image"] = [start, 0]
        if strength is not None and item["class_type"] in CONTROLS:
            item["inputs"]["strength"] = strength
        made[f"{key} {tag}"] = item
    return made
