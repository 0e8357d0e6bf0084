"""Latents and text in shards: equal to what the models make, gone on with, refused when broken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pam_nodes.cli.app import main
from pam_nodes.dataset.clips import FolderClips
from pam_nodes.dataset.encode import EncodeOptions, encode_clips
from pam_nodes.dataset.shards import LatentStore
from pam_nodes.headless.codec import decode, encode, to_pictures, to_pixels
from pam_nodes.headless.cogvideox import encode_prompts
from pam_nodes.headless.cogvideox_models import CogVideoXFolder, MiniCogVideoX
from pam_nodes.headless.compute import Compute, machine
from tests.headless import tiny

from .clips import write_folder

CPU = machine(Compute("cpu"))
MOTION = EncodeOptions("motion", (64, 32), 9, dtype="fp32", shard=2)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return FolderClips(write_folder(tmp_path_factory.mktemp("clips")), "all")


@pytest.fixture(scope="module")
def motion(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("motion")
    encode_clips(clips, MiniCogVideoX(), MOTION, Compute("cpu"), out)
    return out


def test_clips_are_encoded_as_the_sampler_does(clips, motion):
    store = LatentStore(motion)
    assert len(store) == 6 and [row.name for row in store.rows] == clips.names
    clip, sample = clips.read("clip_3"), store.sample(3)
    vae = MiniCogVideoX().vae(CPU)
    with torch.no_grad():
        for name, frames in (("picture", clip.pictures), ("segmentation", clip.conditions.segmentation)):
            whole = encode(vae, to_pixels(frames).transpose(0, 1)[None])
            torch.testing.assert_close(sample[name], whole[0])
            torch.testing.assert_close(sample[name + "_first"], encode(vae, to_pixels(frames[:1]).transpose(0, 1)[None])[0])
        back = to_pictures(decode(vae, sample["picture"][None])[0].transpose(0, 1))
    assert np.abs(back.astype(int) - clip.pictures).mean() < 12
    expected = encode_prompts(*MiniCogVideoX().text(CPU), [clip.prompt, ""], CPU)
    torch.testing.assert_close(store.text(clip.prompt)["tokens"], expected[0][0])
    torch.testing.assert_close(store.text("")["tokens"], expected[1][0])


def test_foreground_is_its_share_of_each_latent_pixel(clips, motion):
    """The first frame by itself, then the most of four frames."""
    segmentation = clips.read("clip_3").conditions.segmentation
    inside = (segmentation > 30).any(axis=3).reshape(9, 4, 8, 8, 8).mean(axis=(2, 4))
    expected = np.stack([inside[0], inside[1:5].max(axis=0), inside[5:9].max(axis=0)])
    found = LatentStore(motion).sample(3)["foreground"].numpy()
    assert 0 < expected.mean() < 1
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_encoding_goes_on_after_an_end(clips, motion, caplog):
    files = {path.name: path.stat().st_mtime_ns for path in motion.glob("*.safetensors")}
    (motion / "latents_00001.safetensors").unlink()
    encode_clips(clips, MiniCogVideoX(), MOTION, Compute("cpu"), motion)
    again = {path.name: path.stat().st_mtime_ns for path in motion.glob("*.safetensors")}
    assert {name for name in files if files[name] != again[name]} == {"latents_00001.safetensors"}
    assert len(LatentStore(motion)) == 6


def test_moments_of_a_real_vae(clips, tmp_path):
    """diffusers' own classes: mean and deviation, so that a draw has the VAE's distribution."""
    folder = tiny.cogvideox_folder(tmp_path / "cogvideox")
    models = CogVideoXFolder(folder, None)
    options = EncodeOptions("motion", tiny.SIZE, tiny.LENGTH, ("depth",), moments=True, dtype="fp32")
    with pytest.raises(ValueError, match="the only size with learned positions"):
        encode_clips(clips, models, replace(options, size=(64, 32)), Compute("cpu"), tmp_path / "other")
    encode_clips(FolderClips(clips.root, "val"), models, options, Compute("cpu"), tmp_path / "out")
    store = LatentStore(tmp_path / "out")
    sample = store.sample(0)
    latents = {f"{name}{first}{std}" for name in ("picture", "depth") for first in ("", "_first") for std in ("", "_std")}
    assert set(sample) == latents | {"foreground"}
    vae = models.vae(CPU)
    vae.disable_tiling()
    with torch.no_grad():
        found = vae.encode(to_pixels(clips.read("clip_4").fitted(*tiny.SIZE, tiny.LENGTH).pictures).transpose(0, 1)[None]).latent_dist
    torch.testing.assert_close(sample["picture"], found.mean[0] * 0.7)
    torch.testing.assert_close(sample["picture_std"], found.std[0] * 0.7)


def test_stills_by_command(clips, tmp_path):
    arguments = ["encode", "appearance", str(clips.root), "--split", "val", "--mini", "--size", "64x32", "--hints", "pixel"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    store = LatentStore(tmp_path)
    assert [row.name for row in store.rows] == ["clip_4:0", "clip_4:8"]
    sample, clip = store.sample(1), clips.read("clip_4")
    np.testing.assert_array_equal(sample["depth"].movedim(0, -1).numpy(), clip.conditions.depth[8])
    assert sample["picture"].shape == (16, 4, 8) and sample["picture"].dtype == torch.bfloat16
    assert store.text(clip.prompt)["pooled"].shape == (64,) and store.text("")["tokens"].shape == (32, 128)


def test_what_cannot_be_used_is_said(clips, tmp_path, caplog):
    with pytest.raises(ValueError, match="at least one clip"):
        encode_clips(clips, MiniCogVideoX(), EncodeOptions("motion", (64, 32), 17), Compute("cpu"), tmp_path / "none")
    assert "clip_0 is left out: Expected a clip of at least 17 frames, found 9" in caplog.text
    with pytest.raises(ValueError, match="encode command"):
        LatentStore(tmp_path)
    for changes, sentence in (({"length": 8}, "4k"), ({"size": (60, 32)}, "multiples of 16"), ({"conditions": ("dep",)}, "condition")):
        with pytest.raises(ValueError, match=sentence):
            EncodeOptions(**{"stage": "motion", "size": (64, 32), "length": 9, **changes}).check()
