"""Runs: they learn, go on exactly where they were killed, refuse what does not fit, and write what the nodes load."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from accelerate.state import AcceleratorState

from hostkit.host import ROOT
from pam_nodes.cli.app import main, parser
from pam_nodes.cli.motion import cogvideox_models
from pam_nodes.dataset.shards import LatentStore
from pam_nodes.headless.cogvideox_models import MiniCogVideoX, load_control
from pam_nodes.headless.compute import Compute, machine
from pam_nodes.headless.files import read_picture
from pam_nodes.headless.flux_models import MiniFlux
from pam_nodes.mini.files import MOTION, MiniFiles, refiner_file
from pam_nodes.mini.refiner import FrameRefiner
from pam_nodes.tensor_files import open_tensors
from pam_nodes.training.appearance import AppearanceDraw
from pam_nodes.training.config import PRESETS, TrainConfig, filled, read_config
from pam_nodes.training.draws import Batches, Draws, shuffled
from pam_nodes.training.motion import MotionDraw
from pam_nodes.training.states import newest, read_log
from pam_nodes.training.tasks import Task

YAML = """
stage: {stage}
precision: fp32
control: {{blocks: 2, zero_start: false}}
masking: {{conditions: {{depth: 0.3}}, prompt: 0.2}}
optimization: {{rate: 2.0e-3, schedule: cosine, warmup: 2, batch: 2, accumulate: 2, ema: 0.9}}
watching: {{steps: 12, save: 3, keep: 2, validate: 4, samples: 2}}
"""


def arguments(stage, latents, config, out, *more):
    return ["train", stage, str(config), "--data", str(latents[stage]), "--mini", "--device", "cpu", "--out", str(out), *more]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(YAML.format(stage="motion"))
    return path


@pytest.fixture(scope="module")
def whole(latents, config, tmp_path_factory):
    """A run without any end on the way."""
    out = tmp_path_factory.mktemp("whole")
    assert main(arguments("motion", latents, config, out)) == 0
    AcceleratorState._reset_state(True)
    return out


def test_run_learns_and_keeps_the_last_checkpoints(whole):
    log = read_log(whole)
    losses = [line["validation"] for line in log if "validation" in line]
    assert len(losses) == 3 and losses[0] > losses[1] > losses[2]
    assert [path.name for path in sorted((whole / "checkpoints").iterdir())] == ["step_0000009", "step_0000012"]
    assert load_control(whole / "control.safetensors", torch.float32).config.num_blocks == 2
    chosen = parser().parse_args(["motion", "c", "f", "--mini", "--cogvideox-control", str(whole / "control.safetensors"), "--out", "o"])
    assert cogvideox_models(chosen).control(machine(Compute("cpu"))).config.num_blocks == 2


def test_killed_run_goes_on_exactly(whole, latents, config, tmp_path):
    """SIGKILL after the fourth step, the third being on disk: the same losses and the same weights to the bit."""
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "pam_nodes", *arguments("motion", latents, config, out)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    end = time.monotonic() + 240
    while not [line for line in read_log(out) if line["step"] >= 4] and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= newest(out)[0] < 12
    assert main(arguments("motion", latents, config, out)) == 0
    assert read_log(out) == read_log(whole)
    one, two = (open_tensors(folder / "control.safetensors").read() for folder in (whole, out))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_other_settings_are_refused(whole, latents, tmp_path, caplog):
    other = tmp_path / "other.yaml"
    other.write_text(YAML.format(stage="motion").replace("0.3", "0.4"))
    assert main(arguments("motion", latents, other, whole)) == 2
    assert "with another masking" in caplog.text and newest(whole)[0] == 12


def test_everything_learns_into_files_of_the_small_models(latents, tmp_path):
    """The result takes the place of the pack's small model; its sheet shows truth, conditions and sample."""
    path = tmp_path / "all.yaml"
    text = YAML.format(stage="appearance") + "learn: all\n"
    path.write_text(text.replace("steps: 12, save: 3", "sheet: 2, sheet_steps: 2, steps: 2, save: 2"))
    assert main(arguments("appearance", latents, path, tmp_path / "run")) == 0
    place, models = machine(Compute("cpu")), MiniFlux(MiniFiles(tmp_path / "run"))
    models.check()
    pipeline, length = models.text(place)
    assert pipeline.encode_prompt("a red box", "a red box", max_sequence_length=length)[0].shape == (1, 32, 128)
    assert models.transformer(place).config.num_layers == 2 and models.vae(place) is not None
    assert models.control(place).config.conditions == ("depth", "segmentation", "keypoints")
    assert read_picture(tmp_path / "run" / "sheets" / "step_0000002.png").shape == (2 * 32, 5 * 64, 3)


@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_lora_in_names_that_diffusers_reads(latents, tmp_path, skip_for, stage):
    """Only the base model's layers change; the file brings the same change into a fresh model."""
    if find_spec("peft") is None:
        skip_for("peft", "no peft")
    path = tmp_path / "lora.yaml"
    path.write_text(YAML.format(stage=stage).replace("steps: 12", "steps: 3") + "learn: lora\nlora: {rank: 4}\n")
    refused = arguments(stage, latents, path, tmp_path / "run")
    assert main(refused) == 2 and not (tmp_path / "run").exists()
    assert main([*refused, "--from-control"]) == 0
    found = open_tensors(tmp_path / "run" / "lora.safetensors").read()
    assert len(found) > 10 and all(name.startswith("transformer.") and ".lora_" in name for name in found)
    assert max(value.abs().max() for name, value in found.items() if "lora_B" in name) > 0
    transformer = (MiniFlux() if stage == "appearance" else MiniCogVideoX()).transformer(machine(Compute("cpu")))
    transformer.load_lora_adapter(found, prefix="transformer")
    loaded = {name.replace(".default_0.", "."): value for name, value in transformer.named_parameters() if ".lora_" in name}
    assert {f"transformer.{name}" for name in loaded} == set(found)


def test_codec_begins_with_principal_components_and_improves(latents, tmp_path):
    """Its file takes the place of the pack's in encoding."""
    path, clips = tmp_path / "codec.yaml", latents["motion"].parent / "clips"
    path.write_text(
        "stage: video_codec\nprecision: fp32\noptimization: {rate: 1.0e-3, batch: 4, warmup: 1}\n"
        "watching: {steps: 8, save: 8, validate: 2, samples: 2}"
    )
    arguments = ["train", "video_codec", str(path), "--data", str(clips), "--size", "64x32", "--device", "cpu"]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    losses = [line["validation"] for line in read_log(tmp_path / "run") if "validation" in line]
    assert losses[0] < 1 and losses[-1] < losses[0]
    encode = ["encode", "motion", str(clips), "--mini", "--codec", str(tmp_path / "run" / "vae.safetensors"), "--size", "64x32"]
    assert main([*encode, "--length", "9", "--device", "cpu", "--out", str(tmp_path / "own")]) == 0
    own, packs = (LatentStore(folder).sample(0)["picture"].float() for folder in (tmp_path / "own", latents["motion"]))
    assert own.shape == packs.shape and (own - packs).abs().mean() > 0.1


@pytest.fixture(scope="module")
def sampled(latents, tmp_path_factory):
    """Latents that the small video model sampled from the conditions of the clips."""
    out = tmp_path_factory.mktemp("sampled")
    encode = ["encode", "motion", str(latents["motion"].parent / "clips"), "--split", "all", "--mini", "--size", "64x32"]
    assert main([*encode, "--length", "9", "--device", "cpu", "--sampled", "2", "--out", str(out)]) == 0
    return out


def test_decoder_learns_alone_from_what_the_model_samples(latents, sampled, tmp_path, caplog):
    """All else of the codec stays as it is, so that latents keep their meaning."""
    clips, path = latents["motion"].parent / "clips", tmp_path / "decoder.yaml"
    row = LatentStore(sampled).sample(2)
    assert row["sampled"].shape == row["picture"].shape and 0.05 < (row["sampled"] - row["picture"]).float().abs().mean() < 2
    path.write_text(
        "stage: video_codec\nlearn: decoder\nprecision: fp32\noptimization: {rate: 1.0e-3, batch: 4, warmup: 1}\n"
        "watching: {steps: 8, save: 8, validate: 2, samples: 2}"
    )
    arguments = ["train", "video_codec", str(path), "--data", str(clips), "--size", "64x32", "--device", "cpu"]
    assert main([*arguments, "--out", str(tmp_path / "none")]) == 2 and "Expected --sampled LATENTS" in caplog.text
    plain = [*arguments, "--sampled", str(latents["motion"]), "--out", str(tmp_path / "plain")]
    assert main(plain) == 2 and "Expected 'sampled' of every sample" in caplog.text
    assert main([*arguments, "--sampled", str(sampled), "--out", str(tmp_path / "run")]) == 0
    losses = [line["validation"] for line in read_log(tmp_path / "run") if "validation" in line]
    assert losses[-1] < losses[0]
    own, packs = (open_tensors(file).read() for file in (tmp_path / "run" / "vae.safetensors", MOTION.vae))
    changed = {name for name in packs if not torch.equal(own[name], packs[name])}
    assert changed and all(name.startswith("group.decoder.") for name in changed)


def test_refiner_learns_from_what_the_model_samples_and_goes_on(latents, sampled, tmp_path, caplog):
    """A run that is ended and begun again makes the same weights; ``--from-control`` goes on from the pack's."""
    clips, path = latents["motion"].parent / "clips", tmp_path / "refiner.yaml"
    path.write_text(
        "stage: refiner\nprecision: fp32\nmasking: {conditions: {depth: 0.3}, first_frame: 0.3}\n"
        "optimization: {rate: 1.0e-4, batch: 4, warmup: 1}\nwatching: {steps: 8, save: 4, validate: 2, samples: 2}"
    )
    arguments = ["train", "refiner", str(path), "--data", str(clips), "--device", "cpu"]
    assert main([*arguments, "--out", str(tmp_path / "none")]) == 2 and "Expected --sampled LATENTS" in caplog.text
    arguments += ["--sampled", str(sampled)]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    losses = [line["validation"] for line in read_log(tmp_path / "run") if "validation" in line]
    assert losses[-1] < losses[0]
    assert main([*arguments, "--steps", "4", "--out", str(tmp_path / "again")]) == 0
    assert main([*arguments, "--out", str(tmp_path / "again")]) == 0
    one, two = (open_tensors(tmp_path / run / "refiner.safetensors").read() for run in ("run", "again"))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert main([*arguments, "--steps", "2", "--from-control", "--out", str(tmp_path / "more")]) == 0
    more, packs = (open_tensors(file).read() for file in (tmp_path / "more" / "refiner.safetensors", refiner_file()))
    assert all((more[name].float() - packs[name].float()).abs().max() < 0.02 for name in packs)
    FrameRefiner().load_state_dict(more)


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_presets(preset):
    stage, name = preset.rsplit("_", 1)
    config = read_config(name, stage)
    assert config.names[:1] and config.optimization.batch >= 1


def test_released_numbers():
    """pam_reference 4.2, 4.3 and 4.4."""
    appearance, motion = read_config("released", "appearance"), read_config("released", "motion")
    assert appearance.masking.conditions == {"depth": 0.2, "segmentation": 0.2, "keypoints": 0.05}
    assert appearance.masking.never == ("normals",) and appearance.optimization.rate == 2e-5 and appearance.times == "uniform"
    assert (motion.optimization.rate, motion.optimization.betas, motion.optimization.weight_decay) == (1e-4, (0.9, 0.95), 1e-3)
    assert motion.control.blocks == 12 and motion.masking.absent == "noise" and motion.masking.first_frame == 0.05


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"stage": "motion", "sped": 3}, "found sped"),
        ({"learn": "all"}, "an entry stage"),
        ({"stage": "motion", "optimization": {"rate": "fast"}}, "Expected float in .*rate, found 'fast'"),
        ({"stage": "motion", "optimization": {"betas": [0.9]}}, "betas"),
        ({"stage": "motion", "control": {"conditions": [["hands"]]}}, "condition out of"),
        ({"stage": "motion", "masking": {"conditions": {"depth": 2}}}, "between 0 and 1"),
        ({"stage": "motion", "watching": {"steps": 0}}, "at least 1"),
        ([1], "named entries"),
    ],
)
def test_bad_configurations(content, sentence):
    with pytest.raises(ValueError, match=sentence):
        filled(TrainConfig, content, "x.yaml").check()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["motion", "nothing"], "a preset (further, lora, mini, paper, released, scratch), found no 'nothing'"),
        (["motion", "mini"], "Expected latents and text of the encode command"),
    ],
)
def test_bad_input_is_one_sentence(more, sentence, tmp_path, caplog):
    assert main(["train", *more, "--data", str(tmp_path), "--mini", "--out", str(tmp_path / "out")]) == 2
    assert sentence in caplog.text and not (tmp_path / "out").exists()


def test_models_and_latents_that_do_not_fit(latents, tmp_path, caplog):
    """Said before anything is written."""
    arguments = ["train", "motion", "mini", "--device", "cpu", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--data", str(latents["appearance"]), "--mini"]) == 2
    assert main([*arguments, "--data", str(latents["motion"]), "--cogvideox", str(tmp_path)]) == 2
    assert main([*arguments, "--data", str(latents["motion"])]) == 2
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    for sentence, wanted in zip(said, ("found appearance", "CogVideoX in diffusers' layout", "--cogvideox FOLDER"), strict=True):
        assert wanted in sentence
    assert not (tmp_path / "out").exists()


def test_same_samples_on_any_number_of_processes():
    alone = [number for batch in Batches(3, 6, 2, 4) for number in batch]
    halves = [list(Batches(3, 6, 2, 2, rank, 2)) for rank in (0, 1)]
    assert [number for pair in zip(*halves, strict=True) for batch in pair for number in batch] == alone
    assert alone[0] == 3 * 2 * 4 and sorted(shuffled(10, 1, 0)) == list(range(10)) != shuffled(10, 1, 1)


def test_draws_depend_on_seed_and_number_alone(latents):
    store = LatentStore(latents["motion"])
    draws = [Draws(range(8), MotionDraw(store, TrainConfig("motion")), seed)[21] for seed in (1, 1, 2)]
    assert all(torch.equal(draws[0][name], draws[1][name]) for name in draws[0])
    assert not torch.equal(draws[0]["noise"], draws[2]["noise"])


def test_no_still_of_a_held_out_clip_is_learnt_from(latents, tmp_path):
    store = LatentStore(latents["appearance"])
    task = Task(TrainConfig("appearance"), store, torch.nn.Identity(), ())
    assert [row.name for row in store.rows[:4]] == ["clip_0:0", "clip_0:8", "clip_1:0", "clip_1:8"]
    assert [task.learnt(held).start for held in (0, 1, 2, 3)] == [0, 2, 2, 4]
    assert Task(TrainConfig("motion"), LatentStore(latents["motion"]), torch.nn.Identity(), ()).learnt(3) == range(3, 8)


def test_masking_rates(latents):
    """Share of absent conditions, each by itself; zeros or noise; never for validation."""
    masking = replace(TrainConfig("motion").masking, conditions={"depth": 0.2, "keypoints": 0.05}, never=("segmentation",))
    store = LatentStore(latents["motion"])
    zero, noise = (TrainConfig("motion", masking=replace(masking, absent=absent)) for absent in ("zero", "noise"))
    draws = [Draws(range(8), MotionDraw(store, zero), 0)[number]["slots"] for number in range(400)]
    shares = [sum(not draw[slot].any() for draw in draws) / 400 for slot in range(3)]
    assert abs(shares[0] - 0.2) < 0.05 and shares[1] == 1 and abs(shares[2] - 0.05) < 0.03
    together = sum(not draw[0].any() and not draw[2].any() for draw in draws) / 400
    assert together < 0.04
    segmentation = torch.stack([Draws(range(8), MotionDraw(store, noise), 0)[number]["slots"][1] for number in range(40)])
    assert abs(segmentation[:, :, :16].std() - 0.7) < 0.02 and abs(segmentation[:, 0, 16:].std() - 0.7) < 0.03
    assert not segmentation[:, 1:, 16:].any()
    kept = TrainConfig("motion", masking=replace(masking, conditions={"depth": 1.0}, first_frame=1.0, never=()))
    assert MotionDraw(store, kept, time=500)(0, torch.Generator())["slots"][0].any()


def test_absent_conditions_of_stills_are_black(latents):
    store = LatentStore(latents["appearance"])
    masking = replace(TrainConfig("appearance").masking, conditions={"depth": 1.0}, prompt=1.0)
    row = AppearanceDraw(store, TrainConfig("appearance", masking=masking))(0, torch.Generator())
    torch.testing.assert_close(row["hint"][:16], store.absent()["picture"])
    assert not torch.equal(row["hint"][16:32], store.absent()["picture"])
    torch.testing.assert_close(row["tokens"], store.text("")["tokens"])


def test_settings_are_recorded(whole):
    recorded = json.loads((whole / "manifest.json").read_text())["settings"]
    assert recorded["masking"]["conditions"] == {"depth": 0.3} and recorded["data"]["length"] == 9
