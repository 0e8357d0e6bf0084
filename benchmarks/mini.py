"""What the shipped small models reach: the shipped workflow, in the host, on scenes that training never saw.

    <host python> benchmarks/mini.py [MESH ...] [--scenes 24] [--seed 7919] [--free 24] [--sheet sheet.jpg] [--json figures.json]
Scenes are those of ``held_out``: objects of other sizes (or the meshes given), motions, cameras, colours and lights at random; the truth
is the shaded picture of the scene. Each runs through the shipped workflow with its motion in place of the simulation: the first frame, the
clip from the true first frame, and the clip from the generated one (the chain). The first ``--free`` scenes are sampled with strength 0
too. The second half of a clip is counted apart, as its first frames are close to the one that was given. The ratio of flicker that has a
goal is to the truth's own; the other one takes at least ``FLOOR`` for the truth's and is much the milder. Processor time is that of the
workflow as shipped, simulation and loading of the models included.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT))

from benchmarks.held_out import SEED, Held, Scene, held_out
from benchmarks.mini_figures import (
    NamedColors,
    background_flicker,
    calibrated,
    foreground_psnr,
    hand_errors,
    hand_figures,
    landmarks,
    median,
)
from benchmarks.mini_graph import scene_prompt, setting_of, write_inputs
from hostkit.client import Client
from hostkit.host import HOME, find_host
from hostkit.server import Server
from pam_nodes.assess.score import Scorer
from tests.host.mini_graphs import shipped

WORKFLOW = "pam_pose_appearance_motion_mini"
TILE = (192, 128)
"""Of the sheet, width and height."""
GOALS = {"gain dB": ">= 6", "hand found %": ">= 85", "hand error %": "<= 8", "hand from truth %": "<= 8", "colour %": ">= 90"}
GOALS |= {"flicker ratio": "<= 2"}
FLOOR = 1.0
"""Flicker, 8-bit levels."""


@dataclass(frozen=True)
class MiniHost:
    """A host with the pack, and the prompt of the shipped workflow."""

    server: Server
    client: Client
    graph: dict

    def setting(self) -> dict:
        """Size, length and frames a second of the workflow's clips."""
        return setting_of(self.graph)

    def sample(self, index: int, scene: Scene, free: bool) -> dict[str, np.ndarray]:
        """The probes of ``scene_prompt``: (T, H, W, 3) uint8, masks (T, H, W)."""
        write_inputs(self.server.base / "input", index, scene)
        result = self.client.run(scene_prompt(self.graph, index, scene, free), timeout=3600)
        found = {}
        for name in (name for name, output in result.outputs.items() if "probe" in output):
            with np.load(self.server.file(result.outputs[name]["probe"][0])) as file:
                found[name] = np.rint(file["value"].clip(0, 1) * 255).astype(np.uint8)
        return found

    def processor_seconds(self) -> float:
        """What the workflow as shipped costs the host."""
        import psutil

        process = psutil.Process(self.server.process.pid)
        before = process.cpu_times()
        self.client.run(self.graph, timeout=3600)
        after = process.cpu_times()
        return after.user + after.system - before.user - before.system


@contextmanager
def mini_host() -> Iterator[MiniHost]:
    """A host of its own, gone afterwards."""
    HOME.mkdir(exist_ok=True)
    packs = {"pam_hoi": ROOT, "pam_probe": ROOT / "tests/host/probe"}
    with tempfile.TemporaryDirectory(dir=HOME) as base, Server(find_host(), Path(base), packs) as server:
        client = Client(server.url)
        yield MiniHost(server, client, shipped(WORKFLOW, client.object_info()))


Errors = dict[str, list[np.ndarray]]
"""Landmark errors of every frame, by name, scene by scene."""


def measure(made: dict[str, np.ndarray], scene: Scene, scorer: Scorer, colors: NamedColors, errors: Errors) -> dict[str, float | None]:
    """Figures of one scene; the true first frame counts in no clip that was given it. Its ``errors`` are added to the others'."""
    row: dict[str, float | None] = {}
    half = len(scene.pictures) // 2
    parts = (("first frame", "picture", 0), ("clip", "clip", 1), ("clip, second half", "clip", half), ("chain", "chain", 0))
    for name, part, first in parts:
        row[f"{name}: PSNR dB"] = foreground_psnr(made[part], scene, first)
        if f"free {part}" in made:
            row[f"{name}: free PSNR dB"] = foreground_psnr(made[f"free {part}"], scene, first)
            row[f"{name}: gain dB"] = row[f"{name}: PSNR dB"] - row[f"{name}: free PSNR dB"]
    true = landmarks(scene.pictures, scene, scorer)
    for name, first in (("clip", 1), ("chain", 0)):
        seen = landmarks(made[name], scene, scorer)
        row |= {f"{name}: {key}": value for key, value in hand_figures(seen, true, first).items()}
        for key, values in hand_errors(seen, true, first).items():
            errors.setdefault(f"{name}: {key}, median of all frames", []).append(values)
    errors.setdefault("truth: hand error %, median of all frames", []).append(100 * true.errors[true.found])
    row["truth: hand error %"] = median(errors["truth: hand error %, median of all frames"][-1])
    for name, clip in (("chain", made["chain"]), ("truth", scene.pictures)):
        row |= {f"{name}: {key} %": 100.0 * value for key, value in colors.right(clip, scene).items()}
    flickers = {"clip": made["clip"], "chain": made["chain"], "truth": scene.pictures}
    return row | {f"{name}: flicker": background_flicker(clip, scene) for name, clip in flickers.items()}


def summary(rows: list[dict[str, float | None]], errors: Errors) -> dict[str, dict[str, float]]:
    """Mean, deviation and number of the scenes that have a figure; ratios of flicker are those of the means, and medians of all frames
    are taken of all scenes together.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    values = {name: np.array([row[name] for row in rows if row.get(name) is not None]) for name in names}
    found = {key: {"mean": float(of.mean()), "sd": float(of.std()), "scenes": len(of)} for key, of in values.items() if len(of)}
    for name in ("clip", "chain"):
        made, true = (found[f"{of}: flicker"]["mean"] for of in (name, "truth"))
        for label, below in (("flicker ratio", true), (f"flicker ratio, floor of {FLOOR:g} level", max(true, FLOOR))):
            found[f"{name}: {label}"] = {"mean": made / below, "sd": 0.0, "scenes": len(rows)}
    pooled = {name: median(np.concatenate(values)) for name, values in errors.items()}
    return found | {name: {"mean": value, "sd": 0.0, "scenes": len(rows)} for name, value in pooled.items() if value is not None}


def table(found: dict[str, dict[str, float]], seconds: dict[str, float]) -> str:
    """Markdown."""
    lines = ["| figure | mean | deviation | scenes | to reach |", "| --- | --- | --- | --- | --- |"]
    for name, of in found.items():
        goal = "" if name.startswith("truth") else next((goal for end, goal in GOALS.items() if name.endswith(end)), "")
        lines.append(f"| {name} | {of['mean']:.2f} | {of['sd']:.2f} | {of['scenes']} | {goal} |")
    return "\n".join(lines + [f"| {name} | {value:.1f} | | | <= 90 |" for name, value in seconds.items()])


def sheet(rows: list[tuple[Scene, np.ndarray]], across: int = 4):
    """Every scene a block: first, middle and last frame, the truth above and the chain's below."""
    from PIL import Image

    blocks, across = [], min(across, len(rows))
    for scene, chain in rows:
        picks = (0, len(chain) // 2, len(chain) - 1)
        tiles = [[Image.fromarray(clip[t]).resize(TILE, Image.Resampling.LANCZOS) for t in picks] for clip in (scene.pictures, chain)]
        block = np.concatenate([np.concatenate([np.asarray(tile) for tile in line], axis=1) for line in tiles])
        blocks.append(np.pad(block, ((2, 2), (2, 2), (0, 0)), constant_values=255))
    blocks += [np.full_like(blocks[0], 255)] * (-len(blocks) % across)
    lines = [np.concatenate(blocks[start : start + across], axis=1) for start in range(0, len(blocks), across)]
    return Image.fromarray(np.concatenate(lines))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", nargs="*", metavar="MESH", help="mesh files in metres (default: the demo objects, stretched)")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--free", type=int, help="scenes that are sampled without conditions too (default: all)")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    rows, shown, errors, scorer = [], [], {}, Scorer()
    with mini_host() as host:
        held = Held(**host.setting(), seed=args.seed, objects=tuple(args.objects))
        scenes = [held_out(held, index) for index in range(args.scenes)]
        colors = calibrated(scenes)
        seconds = {"workflow as shipped, processor s": host.processor_seconds()}
        for index, scene in enumerate(scenes):
            made = host.sample(index, scene, free=args.free is None or index < args.free)
            rows.append(measure(made, scene, scorer, colors, errors))
            shown.append((scene, made["chain"]))
            print(index, scene.prompt, {key: value and round(value, 2) for key, value in rows[-1].items()}, flush=True)
    found = summary(rows, errors)
    print(f"\n{args.scenes} scenes of {held.size[0]} x {held.size[1]}, {held.length} frames, seed {args.seed}\n\n{table(found, seconds)}")
    if args.json:
        content = {"settings": {**vars(held), "scenes": args.scenes}, "figures": found, **seconds, "rows": rows}
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if args.sheet:
        sheet(shown).save(args.sheet, quality=80)


if __name__ == "__main__":
    main()
