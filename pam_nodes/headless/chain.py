"""All stages, one after the other, for any number of seeds in each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .clip_stage import ClipOptions, check_clip, make_clips
from .cogvideox_models import CogVideoXModels
from .compute import Compute, machine
from .flux_models import FluxModels
from .frame_stage import FrameOptions, check_size, make_frames
from .pose_stage import Bars, PoseOptions, make_motions, no_bars, successes
from .render_stage import RenderOptions, render_motions


@dataclass(frozen=True)
class ChainOptions:
    """Settings of the stages, and where their networks come from; ``only_successes`` goes on with grasps that held alone."""

    pose: PoseOptions
    render: RenderOptions
    frames: FrameOptions
    clips: ClipOptions
    flux: FluxModels
    cogvideox: CogVideoXModels
    compute: Compute = field(default_factory=Compute)
    only_successes: bool = False

    def check(self) -> None:
        """Raise for what can be seen to be wrong with the later stages before the first one begins."""
        machine(self.compute)
        self.render.check()
        self.frames.check(self.flux)
        self.clips.check(self.cogvideox)
        self.flux.check()
        filmed = (self.render.camera.width, self.render.camera.height)
        check_size(self.frames.size or filmed, "the first frames")
        length = self.clips.length or self.render.length or self.pose.rollout.length
        check_clip(self.clips.size or filmed, length, self.cogvideox, "the clips")


def make_chain(options: ChainOptions, out: Path, overwrite: bool = False, bars: Bars = no_bars) -> list[Path]:
    """Simulate, film, paint and film again: every motion seed with every picture seed and every clip seed.

    Args:
        options: of every stage.
        out: folder of the results, by stage: ``motions``, ``conditions``, ``frames``, ``clips``. What is finished there stays.
        overwrite: make everything anew.
        bars: progress of each piece of work.

    Returns:
        The clips.

    Raises:
        ValueError, FileNotFoundError, ImportError: input that cannot work, as far as possible before any long work.
    """
    options.check()
    motions = make_motions(options.pose, out / "motions", overwrite, bars)
    if options.only_successes:
        motions = successes(motions)
    folders = render_motions(motions, options.render, out / "conditions", overwrite, bars)
    frames = make_frames(folders, options.flux, options.frames, options.compute, out / "frames", overwrite, bars)
    seeds = len(options.frames.seeds)
    pairs = [(folders[index // seeds], frame) for index, frame in enumerate(frames)]
    return make_clips(pairs, options.cogvideox, options.clips, options.compute, out / "clips", overwrite, bars)
