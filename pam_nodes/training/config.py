"""What is trained and how: YAML files to frozen dataclasses."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from ..conditions.video import MODALITIES
from ..headless.words import check_word

PRESETS = Path(__file__).parent / "presets"
CODECS = ("image_codec", "video_codec")
STAGES = ("appearance", "motion", *CODECS, "refiner")
LEARN = ("control", "lora", "all", "decoder")
ABSENT = ("zero", "noise")
TIMES = ("uniform", "logit_normal")
PRECISION = ("fp32", "bf16", "fp16")
OPTIMIZERS = ("adamw", "adamw8bit")
SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts")


@dataclass(frozen=True)
class ControlDesign:
    """The control network that is trained; one that is given as a file brings its own design.

    Attributes:
        conditions: of each branch (appearance), or the slots in one branch (motion).
        blocks: copied blocks of the base model.
        encoding: "pixel" or "latent" hints (appearance).
        injection: "repeat" or "first" (appearance).
        style: of the condition pictures, for the file's header.
        zero_start: also start the inputs at zero, not only the outputs; for a base model that can already paint.
    """

    conditions: tuple[tuple[str, ...], ...] = (("depth", "segmentation", "keypoints"),)
    blocks: int = 2
    encoding: str = "latent"
    injection: str = "first"
    style: str = "dexycb"
    zero_start: bool = True


@dataclass(frozen=True)
class Adapter:
    """A LoRA of the base model, beside a control that stays as it is (Hu et al. 2021; alpha equals rank).

    Attributes:
        rank: of the changes.
        layers: names of the linear layers that are changed, or their ends.
    """

    rank: int = 16
    layers: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")


@dataclass(frozen=True)
class Masking:
    """What is left out at random in training, each by itself (PAM section 4; pam_reference 4.2 to 4.4).

    Attributes:
        conditions: probability of each condition.
        never: conditions that are always absent.
        prompt: probability of the empty prompt.
        first_frame: probability that the latents of the first frame, and of the conditions' first frames, are zero (motion).
        absent: "zero" latents, or "noise" as the released motion training had it by mistake (motion; appearance has a black picture).
        noise_scale: standard deviation of that noise, the VAE's scaling factor.
        image_noise: mean and deviation of the log-normal noise on the first frame, none if empty (motion).
    """

    conditions: dict[str, float] = field(default_factory=lambda: {"depth": 0.2, "segmentation": 0.2, "keypoints": 0.2})
    never: tuple[str, ...] = ()
    prompt: float = 0.0
    first_frame: float = 0.0
    absent: str = "zero"
    noise_scale: float = 0.7
    image_noise: tuple[float, ...] = ()


@dataclass(frozen=True)
class Windows:
    """Learning from parts of the latents first, which costs less, for positions are relative (rotary) in both small models.

    Attributes:
        size: (width, height) of the random windows in latent pixels, even; empty for whole latents.
        steps: that see windows, from the first on.
    """

    size: tuple[int, ...] = ()
    steps: int = 0


@dataclass(frozen=True)
class Optimization:
    """The optimiser.

    Attributes:
        name: "adamw", or "adamw8bit" (needs bitsandbytes).
        rate: learning rate. schedule, warmup: of it, as diffusers names them; steps of warm-up.
        betas, eps, weight_decay: of Adam.
        clip: norm to which gradients are cut, 0 for none.
        batch: samples of a process and step. accumulate: such steps before the weights move.
        ema: decay of the moving average of the weights that is written and sampled with, 0 for none.
    """

    name: str = "adamw"
    rate: float = 1e-4
    schedule: str = "constant_with_warmup"
    warmup: int = 100
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01
    clip: float = 1.0
    batch: int = 1
    accumulate: int = 1
    ema: float = 0.0


@dataclass(frozen=True)
class Watching:
    """When something is written; does not change what is learnt.

    Attributes:
        steps: to train in all.
        save, keep: steps between checkpoints, and how many are kept.
        validate, samples: steps between validations, and samples held out for them from the start of the latents.
        sheet: steps between sheets of sampled results, 0 for none. sheet_steps: of the sampler.
        workers: processes that read latents.
    """

    steps: int = 1000
    save: int = 500
    keep: int = 3
    validate: int = 200
    samples: int = 8
    sheet: int = 0
    sheet_steps: int = 20
    workers: int = 0


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        stage: "appearance" or "motion"; or "image_codec" or "video_codec", the small models' autoencoders, which leave the settings of
            control, masking and times alone; or "refiner", of the small video model's frames, which leaves control and times alone.
        learn: "control" with a frozen base model; "lora" of the base model with a frozen control, which must be given; or "all": the
            small model of the pack from scratch, text encoders too. Of the video codec "decoder" is that of its groups alone, from latents
            that the video model sampled; all else is its whole.
        times: "uniform", or "logit_normal" with the mean and deviation of ``times_shape``; greater means are nearer to noise.
        foreground: weight in the loss of latent pixels that show hand or object (of the refiner, pixels), 1 as of all others.
        guidance: distilled guidance scale that Flux is given.
        windows: parts of the latents to begin with, where everything learns.
        precision: of the computation; weights that learn are fp32.
        checkpointing: compute activations of the blocks again instead of keeping them.
        seed: of all chance.
    """

    stage: str
    learn: str = "control"
    control: ControlDesign = field(default_factory=ControlDesign)
    lora: Adapter = field(default_factory=Adapter)
    masking: Masking = field(default_factory=Masking)
    optimization: Optimization = field(default_factory=Optimization)
    watching: Watching = field(default_factory=Watching)
    times: str = "uniform"
    times_shape: tuple[float, float] = (0.0, 1.0)
    foreground: float = 1.0
    guidance: float = 4.0
    windows: Windows = field(default_factory=Windows)
    precision: str = "bf16"
    checkpointing: bool = False
    seed: int = 42

    def check(self) -> None:
        """Raise ValueError for words and numbers that make no sense."""
        for value, words, what in (
            (self.stage, STAGES, "stage"),
            (self.learn, LEARN, "choice of what learns"),
            (self.masking.absent, ABSENT, "content of absent conditions"),
            (self.times, TIMES, "distribution of times"),
            (self.precision, PRECISION, "precision"),
            (self.optimization.name, OPTIMIZERS, "optimiser"),
            (self.optimization.schedule, SCHEDULES, "schedule"),
            *((name, MODALITIES, "condition") for name in (*self.names, *self.masking.conditions, *self.masking.never)),
        ):
            check_word(value, words, what)
        shares = {**self.masking.conditions, "prompt": self.masking.prompt, "first_frame": self.masking.first_frame}
        wrong = [f"{name} {share:g}" for name, share in shares.items() if not 0 <= share <= 1]
        if wrong:
            raise ValueError(f"Expected probabilities between 0 and 1 in masking, found {wrong[0]}.")
        watching, best = self.watching, self.optimization
        counts = {name: getattr(watching, name) for name in ("steps", "save", "keep", "validate", "samples", "sheet_steps")}
        counts |= {"batch": best.batch, "accumulate": best.accumulate, "rank": self.lora.rank}
        small = [f"{name} {count}" for name, count in counts.items() if count < 1]
        if small:
            raise ValueError(f"Expected at least 1 for every count, found {small[0]}.")
        if self.foreground <= 0:
            raise ValueError(f"Expected a foreground weight above 0, found {self.foreground:g}.")
        windows = self.windows.size
        if windows and (self.learn != "all" or len(windows) != 2 or any(side < 2 or side % 2 for side in windows)):
            raise ValueError(f"Expected two even sides in windows.size, and 'learn: all', found {list(windows)} and {self.learn}.")
        if self.learn == "decoder" and self.stage != "video_codec":
            raise ValueError(f"Expected the stage video_codec for 'learn: decoder', found {self.stage}.")
        if self.stage == "motion" and len(self.control.conditions) != 1:
            raise ValueError(f"Expected one list of slots in control.conditions of the motion stage, found {len(self.control.conditions)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """All conditions, in channel or slot order."""
        return tuple(name for branch in self.control.conditions for name in branch)


def read_config(source: str, stage: str) -> TrainConfig:
    """The configuration of a YAML file, or of a preset by its name.

    Raises:
        FileNotFoundError: there is neither.
        ValueError: it is not YAML, has unknown entries, or is for another stage.
        ImportError: PyYAML is missing.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError("Expected PyYAML to read training files, found none: pip install pyyaml.") from error
    path = Path(source)
    if not path.is_file():
        path = PRESETS / f"{stage}_{source}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(preset.stem.removeprefix(f"{stage}_") for preset in PRESETS.glob(f"{stage}_*.yaml")))
        raise FileNotFoundError(f"Expected a YAML file or a preset ({known}), found no '{source}'.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"Expected YAML in {path.name}, could not read it ({' '.join(str(error).split())}).") from error
    config = filled(TrainConfig, content, path.name)
    config.check()
    if config.stage != stage:
        raise ValueError(f"Expected a file for the {stage} stage, found one for {config.stage}: {path.name}.")
    return config


def filled(kind: type, content: Any, where: str) -> Any:
    """A dataclass of plain values; raises ValueError for entries it does not have, or values of another type."""
    if not isinstance(content, dict):
        raise ValueError(f"Expected named entries in {where}, found {type(content).__name__}.")
    known = {item.name: item for item in fields(kind)}
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise ValueError(f"Expected the entries {', '.join(known)} in {where}, found {', '.join(map(str, unknown))}.")
    missing = [name for name, item in known.items() if name not in content and item.default is item.default_factory is MISSING]
    if missing:
        raise ValueError(f"Expected an entry {missing[0]} in {where}, found none.")
    types_of = typing.get_type_hints(kind)
    return kind(**{name: _value(types_of[name], value, f"{where}: {name}") for name, value in content.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    """One value as its type; whole numbers are numbers, lists are tuples."""
    if is_dataclass(kind):
        return filled(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list):
        inner = arguments[0] if Ellipsis in arguments or len(set(arguments)) == 1 else Any
        if Ellipsis in arguments or len(arguments) == len(value):
            return tuple(_value(inner, item, where) for item in value)
    elif origin is dict and isinstance(value, dict):
        return {str(key): _value(arguments[1], item, where) for key, item in value.items()}
    elif kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif not isinstance(kind, types.GenericAlias) and type(value) is kind:
        return value
    raise ValueError(f"Expected {getattr(kind, '__name__', kind) if origin is None else kind} in {where}, found {value!r}.")
