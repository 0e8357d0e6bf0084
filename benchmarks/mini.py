"""How well the shipped small models follow the conditions: guided against unguided, in the host, on scenes of its own.

    <host python> benchmarks/mini.py [--scenes 8] [--sheet sheet.png]
Scenes are rollouts with seeds and cameras that training never saw. Figures: PSNR of the foreground against the shaded picture of the
scene, with the conditions and with strength 0; overlap (IoU) of the pixels that look like the object and of its true mask.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT))

from hostkit.client import Client, Result
from hostkit.host import HOME, find_host
from hostkit.server import Server
from tests.host.mini_graphs import find, node, shipped

KINDS = ("mug", "bottle", "can", "bowl", "ball", "box")


def scene_prompt(base: dict, index: int, strength: float) -> dict:
    """The shipped workflow with another object, motion and camera, red, its results in probes, guided with ``strength``."""
    prompt = json.loads(json.dumps(base))
    kind = KINDS[index % len(KINDS)]
    prompt[find(prompt, "PAMDemoObject")]["inputs"].update(kind=kind, natural_color=False, color="#c62122")
    rollout = prompt[find(prompt, "PAMGraspRollout")]["inputs"]
    rollout.update(seed=1000 + index)
    del rollout["target_pose"]
    prompt[find(prompt, "PAMHOICamera")]["inputs"].update(azimuth=-60.0 + 25 * index, elevation=20.0 + 5 * (index % 4))
    prompt[find(prompt, "PAMRenderConditions")]["inputs"].update(skin="light")
    for item in prompt.values():
        if item["class_type"] == "CLIPTextEncode" and item["inputs"]["text"]:
            item["inputs"]["text"] = item["inputs"]["text"].replace("mug", kind)
    for kind_of in ("PAMApplyHOIControlNet", "PAMApplyHOIControlCogVideoX"):
        prompt[find(prompt, kind_of)]["inputs"]["strength"] = strength
    render = find(prompt, "PAMRenderConditions")
    decoders = {prompt[item["inputs"]["vae"][0]]["class_type"]: key for key, item in prompt.items() if item["class_type"] == "VAEDecode"}
    picture, clip = decoders["PAMLoadMiniAppearance"], decoders["PAMLoadMiniMotion"]
    prompt[find(prompt, "PAMCogVideoXFirstFrame")]["inputs"]["start_image"] = [render, 6]
    wanted = {"hand": [render, 4], "object": [render, 5], "truth": [render, 6], "picture": [picture, 0], "clip": [clip, 0]}
    for name, source in wanted.items():
        prompt[name] = node("PamProbe", value=source, name=f"{name}_{index}_{strength}")
    keep = {"PreviewImage", "SaveVideo", "CreateVideo", "Preview3D", "PAMPreviewMotion3D"}
    return {key: item for key, item in prompt.items() if item["class_type"] not in keep}


def arrays(server: Server, result: Result) -> dict[str, np.ndarray]:
    """The probes of one run."""
    out = {}
    for name in ("hand", "object", "truth", "picture", "clip"):
        with np.load(server.file(result.outputs[name]["probe"][0])) as file:
            out[name] = file["value"]
    return out


def foreground_psnr(picture: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Decibels over the pixels of a mask."""
    error = ((picture - truth) ** 2)[mask > 0.5].mean()
    return float(-10 * np.log10(error))


def red_overlap(picture: np.ndarray, mask: np.ndarray) -> float:
    """IoU of saturated red pixels with the object's mask."""
    red, green, blue = np.moveaxis(picture, -1, 0)
    seen = (red > 0.25) & (red > 2.2 * green) & (red > 2.2 * blue)
    true = mask > 0.5
    return float((seen & true).sum() / max((seen | true).sum(), 1))


def measure(values: dict[str, np.ndarray]) -> dict[str, float]:
    """Figures of one run: first frame by the image model, last frames by the video model from the true first frame."""
    both = np.maximum(values["hand"], values["object"])
    late = slice(8, None)
    return {
        "image psnr": foreground_psnr(values["picture"][0], values["truth"][0], both[0]),
        "image iou": red_overlap(values["picture"][0], values["object"][0]),
        "clip psnr": foreground_psnr(values["clip"][late], values["truth"][late], both[late]),
        "clip iou": float(np.mean([red_overlap(f, m) for f, m in zip(values["clip"][late], values["object"][late], strict=True)])),
    }


def sheet(rows: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Each scene a row: true first frame, generated one, then true and generated frames 8 and 16."""
    lines = []
    for values in rows:
        tiles = [values["truth"][0], values["picture"][0], values["truth"][8], values["clip"][8], values["truth"][16], values["clip"][16]]
        lines.append(np.concatenate(tiles, axis=1))
    return (np.concatenate(lines).clip(0, 1) * 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    HOME.mkdir(exist_ok=True)
    figures: dict[float, list[dict[str, float]]] = {1.0: [], 0.0: []}
    rows = []
    packs = {"pam_hoi": ROOT, "pam_probe": ROOT / "tests/host/probe"}
    with tempfile.TemporaryDirectory(dir=HOME) as base, Server(find_host(), Path(base), packs) as server:
        client = Client(server.url)
        graph = shipped("pam_pose_appearance_motion_mini", client.object_info())
        for index in range(args.scenes):
            for strength, into in figures.items():
                values = arrays(server, client.run(scene_prompt(graph, index, strength)))
                into.append(measure(values))
                rows += [values] if args.sheet else []
            print(index, {key: round(value, 2) for key, value in figures[1.0][-1].items()}, flush=True)
    print(f"{args.scenes} scenes: mean with conditions / strength 0")
    for key in figures[1.0][0]:
        on, off = (np.mean([row[key] for row in figures[strength]]) for strength in (1.0, 0.0))
        print(f"{key:12} {on:6.2f} / {off:6.2f}")
    if args.sheet:
        from PIL import Image

        Image.fromarray(sheet(rows)).save(args.sheet)


if __name__ == "__main__":
    main()
