"""The motion stage by itself: PAM's full models, from a photo, long clips, and the same conditions for another video model."""

from hostkit.graph import Graph, Node

from .pam import NEGATIVE
from .stages import refined

WORDS = "a light skin hand picking up a red mug on a grey table, bright light"
ACTION = "A hand reaches for a red mug on a table, picks it up and lifts it."
MUTED = 2


def told(g: Graph, length: int, fps: float, width: int, height: int) -> tuple[Node, Node]:
    """A recorded motion seen by a camera, from x = 0 to 640; returns the conditions' node and the motion."""
    hand = g.add("PAMLoadManoHand", (0, 0), (300, 200))
    mug = g.add("PAMDemoObject", (0, 250), (300, 150), kind="mug")
    recorded = g.add("PAMLoadRecordedMotion", (0, 450), (300, 310), hand=hand[0], object=mug[0])
    timed = g.add("PAMRetimeTrajectory", (0, 810), (300, 290), trajectory=recorded[0], length=length, fps=fps)
    size = dict(width=width, height=height)
    camera = g.add("PAMHOICamera", (340, 0), (300, 370), mode="auto-frame", trajectory=timed[0], margin=0.06, **size)
    rendered = g.add("PAMRenderConditions", (340, 420), (300, 360), trajectory=timed[0], camera=camera[0])
    g.add("PreviewImage", (340, 830), (300, 270), "What the model is told", images=rendered["segmentation"])
    g.group("1 Motion and conditions", (-20, -80), (680, 1210), "conditions")
    return rendered, timed


def large(g: Graph, x: int) -> tuple[Node, Node, Node, Node, Node]:
    """CogVideoX-5B with PAM's control and its prompts in one column: base, control, VAE, positive, negative."""
    base = g.add("PAMLoadCogVideoX", (x, 0), (300, 90), model_name="CogVideoX-5b-I2V/transformer")
    control = g.add("PAMLoadHOIControlCogVideoX", (x, 140), (300, 90), model_patch_name="pam_motion.safetensors")
    vae = g.add("VAELoader", (x, 280), (300, 60), "CogVideoX VAE", vae_name="cogvideox_vae.safetensors")
    text = g.add("CLIPLoader", (x, 390), (300, 110), "T5", type="cogvideox", clip_name="t5xxl_fp16.safetensors")
    positive = g.add("CLIPTextEncode", (x, 550), (300, 130), "Prompt", clip=text[0], text=ACTION)
    negative = g.add("CLIPTextEncode", (x, 730), (300, 170), "Negative prompt", clip=text[0], text=NEGATIVE)
    return base, control, vae, positive, negative


def sampled(g: Graph, model: Node, start: Node, at: tuple[int, int], **how) -> Node:
    """CogVideoX Sampling and core's sampler below each other."""
    x, y = at
    sampling = g.add("PAMCogVideoXSampling", (x, y), (300, 230), model=model[0], positive=start[0], negative=start[1], **how)
    noise = g.add("RandomNoise", (x, y + 280), (300, 90), noise_seed=42)
    return g.add(
        "SamplerCustomAdvanced", (x, y + 420), (300, 140),
        noise=noise[0], guider=sampling[0], sampler=sampling[1], sigmas=sampling[2], latent_image=start[2],
    )  # fmt: skip


def saved(g: Graph, frames: Node, fps: float, at: tuple[int, int], name: str, title: str = "Save the clip") -> None:
    """Frames as a file."""
    x, y = at
    made = g.add("CreateVideo", (x, y), (300, 110), images=frames[0], fps=fps)
    g.add("SaveVideo", (x, y + 160), (400, 440), title, video=made[0], filename_prefix=name)


def full_weights(info: dict) -> Graph:
    """PAM's motion stage as released, and how to split its checkpoint."""
    g = Graph(info)
    rendered, _ = told(g, 49, 15.0, 720, 480)
    base, control, vae, positive, negative = large(g, 700)
    styled = g.add("PAMLoadCogVideoXLoRA", (700, 950), (300, 110), "Optional: a LoRA", lora_name="your_lora.safetensors", model=base[0])
    styled.data["mode"] = 4
    kept = g.add("PAMSaveHOIControlCogVideoX", (1040, 950), (300, 90), "Once: keep the control alone", model_patch=control[0])
    kept.data["mode"] = MUTED
    g.group("2 Models", (680, -80), (340, 1210), "motion")
    picture = g.add("LoadImage", (1040, 0), (300, 330), "First frame of the scene", image="first_frame.png")
    start = g.add(
        "PAMCogVideoXFirstFrame", (1040, 380), (300, 240),
        positive=positive[0], negative=negative[0], vae=vae[0], start_image=picture[0], width=720, height=480, length=49, model=styled[0],
    )  # fmt: skip
    model = g.add(
        "PAMApplyHOIControlCogVideoX", (1380, 0), (300, 440), model=styled[0], model_patch=control[0], vae=vae[0], conditions=rendered[0]
    )
    latent = sampled(g, model, start, (1380, 490), preset="quality (as released)", cfg=6.0)
    frames = g.add("VAEDecode", (1720, 0), (300, 60), samples=latent[0], vae=vae[0])
    saved(g, frames, 15.0, (1720, 110), "PAM/motion")
    g.note(
        "## PAM's motion stage\nCogVideoX-5b-I2V goes as diffusers saves it into *models/diffusers*, PAM's checkpoint (merged file or "
        "its folder) into *models/model_patches*. The first frame must show what the conditions' first frame shows: take it from the "
        "appearance stage.\n\n*Save HOI Control* (muted) writes the 3.5 GB control out of the merged checkpoint. *Load CogVideoX LoRA* "
        "is bypassed.\n\nOn 24 GB everything should fit in bf16; on 12 GB choose *fp8_e4m3fn* in both loaders.",
        (1720, 770),
        (400, 300),
    )
    g.group("3 Clip", (1020, -80), (1120, 1210), "motion")
    return g


def from_photo(info: dict) -> Graph:
    """Any photo as the first frame."""
    g = Graph(info)
    rendered, _ = told(g, 49, 15.0, 720, 480)
    base, control, vae, positive, negative = large(g, 700)
    g.group("2 Models", (680, -80), (340, 1210), "motion")
    photo = g.add("LoadImage", (1040, 0), (300, 330), "Your photo", image="photo.jpg")
    start = g.add(
        "PAMCogVideoXFirstFrame", (1040, 380), (300, 240),
        positive=positive[0], negative=negative[0], vae=vae[0], start_image=photo[0], width=720, height=480, length=49, fit="crop",
        model=base[0],
    )  # fmt: skip
    model = g.add(
        "PAMApplyHOIControlCogVideoX", (1380, 0), (300, 440), model=base[0], model_patch=control[0], vae=vae[0], conditions=rendered[0],
        keypoints_strength=0.8,
    )  # fmt: skip
    latent = sampled(g, model, start, (1380, 490), preset="balanced (step cache)", cfg=6.0)
    frames = g.add("VAEDecode", (1720, 0), (300, 60), samples=latent[0], vae=vae[0])
    saved(g, frames, 15.0, (1720, 110), "PAM/from_photo")
    g.note(
        "## A photo comes to life\nThe photo is cropped to the video's shape (*fit*). It has to show hand and object where the first frame "
        "of the conditions has them: look through the camera of the photo (*HOI Camera*: field of view, direction, distance), or load the "
        "hand that HaMeR or WiLoR found in it as a recording.\n\nThe *balanced* preset reuses steps that change little.",
        (1720, 770),
        (400, 250),
    )
    g.group("3 Clip", (1020, -80), (1120, 1210), "motion")
    return g


def long(info: dict) -> Graph:
    """49 frames of the small model that knows 17: in windows, and chunk after chunk."""
    g = Graph(info)
    rendered, _ = told(g, 49, 8.0, 288, 192)
    mini = g.add("PAMLoadMiniMotion", (700, 0), (300, 120))
    words = g.add("CLIPTextEncode", (700, 170), (300, 130), "Prompt", clip=mini["CLIP"], text=WORDS)
    none = g.add("CLIPTextEncode", (700, 350), (300, 100), "Negative prompt", clip=mini["CLIP"], text="")
    g.note(
        "## Two ways to a long clip\n**Windows** (top): all 49 frames at once, in overlapping windows of 17; every window knows its own "
        "conditions. **Chunks** (below): 17 frames, then 16 more from the last one, and so on without end.\n\nBoth run on a CPU with the "
        "included small model. With CogVideoX-5b: windows of 49, 97 or 193 frames.",
        (700, 500),
        (300, 300),
    )
    g.group("2 Model", (680, -80), (340, 1210), "motion")
    _windows(g, rendered, mini, words, none)
    _chunks(g, rendered, mini, words, none)
    return g


SMALL = dict(width=288, height=192)


def _guided(g: Graph, at: tuple[int, int], mini: Node, model: tuple, conditions: tuple) -> Node:
    return g.add(
        "PAMApplyHOIControlCogVideoX", at, (300, 440), model=model, model_patch=mini["MODEL_PATCH"], vae=mini["VAE"], conditions=conditions
    )


def _windows(g: Graph, rendered: Node, mini: Node, words: Node, none: Node) -> None:
    windows = g.add("PAMCogVideoXLongVideo", (1040, 0), (300, 190), model=mini[0], window=17, overlap=8)
    start = g.add(
        "PAMCogVideoXFirstFrame", (1040, 240), (300, 240),
        positive=words[0], negative=none[0], vae=mini["VAE"], start_image=rendered["preview"], length=49, **SMALL,
    )  # fmt: skip
    model = _guided(g, (1380, 0), mini, windows[0], rendered[0])
    latent = sampled(g, model, start, (1720, 0), preset="fast", cfg=1.0)
    frames = g.add("VAEDecode", (2060, 0), (300, 60), samples=latent[0], vae=mini["VAE"])
    frames = refined(g, (1040, 530), frames, mini, rendered[0], rendered["preview"])
    saved(g, frames, 8.0, (2060, 110), "PAM/long_windows", "49 frames in windows")
    g.group("3 Windows", (1020, -80), (1460, 800), "motion")


def _chunks(g: Graph, rendered: Node, mini: Node, words: Node, none: Node) -> None:
    y, vae = 960, mini["VAE"]
    first = g.add("PAMFitConditions", (1040, y), (300, 190), conditions=rendered[0], length=17, frames="first", fps=0.0, **SMALL)
    start = g.add(
        "PAMCogVideoXFirstFrame", (1040, y + 240), (300, 240),
        positive=words[0], negative=none[0], vae=vae, start_image=rendered["preview"], length=17, **SMALL,
    )  # fmt: skip
    latent = sampled(g, _guided(g, (1380, y), mini, mini[0], first[0]), start, (1720, y), preset="fast", cfg=1.0)
    frames = g.add("VAEDecode", (1380, y + 490), (300, 60), samples=latent[0], vae=vae)
    for number, x in ((2, 2060), (3, 3080)):
        more = g.add(
            "PAMCogVideoXContinue", (x, y), (300, 200), f"Chunk {number}",
            positive=words[0], negative=none[0], vae=vae, images=frames[0], conditions=rendered[0], length=17,
        )  # fmt: skip
        latent = sampled(g, _guided(g, (x + 340, y), mini, mini[0], more["conditions"]), more, (x + 680, y), preset="fast", cfg=1.0)
        chunk = g.add("VAEDecode", (x, y + 250), (300, 60), samples=latent[0], vae=vae)
        frames = g.add("PAMJoinClips", (x, y + 360), (300, 110), images=frames[0], next_images=chunk[0])
    frames = refined(g, (4100, y), frames, mini, rendered[0], rendered["preview"])
    saved(g, frames, 8.0, (4440, y), "PAM/long_chunks", "49 frames in chunks")
    g.group("4 Chunks", (1020, y - 80), (3840, 720), "motion")


def wan_vace(info: dict) -> Graph:
    """The same conditions for Wan VACE, core nodes only behind the bundle."""
    g = Graph(info)
    rendered, _ = told(g, 49, 16.0, 832, 480)
    grey = g.add("PAMDepthLook", (700, 0), (300, 180), "Depth for Wan VACE", conditions=rendered[0], look="grey inverse", range="clip")
    g.add("PreviewImage", (700, 230), (300, 260), "Control video", images=grey["depth"])
    picture = g.add("LoadImage", (700, 540), (300, 330), "First frame or reference", image="first_frame.png")
    g.note(
        "## Not only CogVideoX\nThe conditions are ordinary pictures: here the exact depth of the motion guides Wan 2.1 VACE through "
        "core's own nodes. *segmentation*, *keypoints* or optical flow can be tried in its place, or OpenPose hands from *Hand Keypoints*.",
        (700, 920),
        (300, 190),
    )
    g.group("2 Control video", (680, -80), (340, 1210), "conditions")
    base = g.add("UNETLoader", (1040, 0), (300, 90), "Wan 2.1 VACE", unet_name="wan2.1_vace_1.3B_fp16.safetensors")
    text = g.add("CLIPLoader", (1040, 140), (300, 110), "UMT5", type="wan", clip_name="umt5_xxl_fp8_e4m3fn_scaled.safetensors")
    vae = g.add("VAELoader", (1040, 300), (300, 60), "Wan VAE", vae_name="wan_2.1_vae.safetensors")
    positive = g.add("CLIPTextEncode", (1040, 410), (300, 130), "Prompt", clip=text[0], text=ACTION)
    negative = g.add("CLIPTextEncode", (1040, 590), (300, 130), "Negative prompt", clip=text[0], text="low quality, blurry, deformed hand")
    shifted = g.add("ModelSamplingSD3", (1040, 770), (300, 60), model=base[0], shift=8.0)
    vace = g.add(
        "WanVaceToVideo", (1380, 0), (300, 250), positive=positive[0], negative=negative[0], vae=vae[0], control_video=grey["depth"],
        reference_image=picture[0], width=832, height=480, length=49,
    )  # fmt: skip
    latent = g.add(
        "KSampler", (1380, 300), (300, 280), model=shifted[0], positive=vace[0], negative=vace[1], latent_image=vace[2], seed=42, steps=20,
        cfg=6.0, sampler_name="uni_pc", scheduler="simple",
    )  # fmt: skip
    cut = g.add("TrimVideoLatent", (1380, 630), (300, 60), samples=latent[0], trim_amount=vace["trim_latent"])
    frames = g.add("VAEDecode", (1380, 740), (300, 60), samples=cut[0], vae=vae[0])
    saved(g, frames, 16.0, (1720, 0), "PAM/wan_vace")
    g.group("3 Wan VACE", (1020, -80), (1120, 1210), "motion")
    return g
