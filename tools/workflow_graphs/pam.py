"""All three stages in one graph: on the included small models, and on the large ones."""

from hostkit.graph import Graph

from .stages import condition_stage, flux_loaders, pose_stage, refined, small_picture, small_sampler

PROMPT = "a light skin hand reaching for a red mug on a grey table, bright light"
MOTION_PROMPT = "a light skin hand picking up a red mug on a grey table, bright light"
NEGATIVE = (
    "The video is not of a high quality, it has a low resolution. Watermark present in each frame. The background is solid. "
    "Strange body and strange trajectory. Distortion."
)
APPEARANCE_NOTE = """## 3 Appearance
The first frame: Flux with the HOI ControlNet. Another seed is another picture; skin, object colour, table and light are words of the \
prompt. The small model knows few words, see its help."""
MOTION_NOTE = """## 4 Motion
The clip: CogVideoX starts from the picture and follows the conditions of every frame. Put any picture into *start_image*, also a photo. \
The small model was trained for two steps; large ones want 20 to 50, and no \
*Refine HOI Frames*, which gives the small ones their fingers."""


def mini(info: dict) -> Graph:
    """The whole chain on the shipped small models."""
    g = Graph(info)
    motion = pose_stage(g, 17, 8.0, 0.12)
    _, conditions = condition_stage(g, motion, 288, 192)

    picture = small_picture(g, conditions, PROMPT)
    g.add("PreviewImage", (2360, 920), (300, 240), "First frame", images=picture[0])
    g.note(APPEARANCE_NOTE, (2020, 890), (300, 170))
    g.group("3 Appearance", (2000, -80), (680, 1080), "appearance")

    video = g.add("PAMLoadMiniMotion", (2720, 0), (300, 120))
    motion_prompt = g.add("CLIPTextEncode", (2720, 170), (300, 120), "Prompt", clip=video["CLIP"], text=MOTION_PROMPT)
    no_prompt = g.add("CLIPTextEncode", (2720, 340), (300, 100), "Negative prompt", clip=video["CLIP"], text="")
    start = g.add(
        "PAMCogVideoXFirstFrame", (2720, 490), (300, 190),
        positive=motion_prompt[0], negative=no_prompt[0], vae=video["VAE"], start_image=picture[0], width=288, height=192, length=17,
    )  # fmt: skip
    model = g.add(
        "PAMApplyHOIControlCogVideoX", (3060, 0), (300, 200),
        model=video["MODEL"], model_patch=video["MODEL_PATCH"], vae=video["VAE"], conditions=conditions[0],
    )  # fmt: skip
    latent = small_sampler(g, (3060, 250), model, start, 42)
    frames = g.add("VAEDecode", (3060, 580), (300, 60), samples=latent[0], vae=video["VAE"])
    frames = refined(g, (3060, 690), frames, video, conditions[0], picture[0])
    made = g.add("CreateVideo", (3400, 0), (300, 80), images=frames[0], fps=8.0)
    g.add("SaveVideo", (3400, 130), (420, 460), "Save the clip", video=made[0], filename_prefix="PAM/clip")
    g.note(MOTION_NOTE, (2720, 740), (300, 240))
    g.group("4 Motion", (2700, -80), (1140, 1080), "motion")
    return g


def full(info: dict) -> Graph:
    """The chain on FLUX.1-dev and CogVideoX-5B, weights brought by the user."""
    g = Graph(info)
    motion = pose_stage(g, 49, 15.0, 0.2)
    _, conditions = condition_stage(g, motion, 720, 480)
    flux, clip, vae, control = flux_loaders(g)
    positive = g.add("CLIPTextEncode", (2020, 570), (300, 110), "Prompt", clip=clip[0], text="A hand is trying to grasp something")
    guidance = g.add("FluxGuidance", (2020, 730), (300, 60), conditioning=positive[0], guidance=4.0)
    negative = g.add("ConditioningZeroOut", (2020, 840), (300, 40), conditioning=positive[0])
    guided = g.add(
        "PAMApplyHOIControlNet", (2360, 0), (300, 430),
        positive=guidance[0], negative=negative[0], control_net=control[0], conditions=conditions[0], vae=vae[0],
    )  # fmt: skip
    empty = g.add("EmptySD3LatentImage", (2020, 930), (300, 110), width=720, height=480)
    sampled = g.add(
        "KSampler", (2360, 480), (300, 280),
        model=flux[0], positive=guided[0], negative=guided[1], latent_image=empty[0], seed=42, steps=28, cfg=1.0,
        sampler_name="euler", scheduler="simple",
    )  # fmt: skip
    picture = g.add("VAEDecode", (2360, 810), (300, 60), samples=sampled[0], vae=vae[0])
    g.add("PreviewImage", (2360, 920), (300, 160), "First frame", images=picture[0])
    g.group("3 Appearance", (2000, -80), (680, 1080), "appearance")

    base = g.add("PAMLoadCogVideoX", (2720, 0), (300, 60), model_name="cogvideox_5b_i2v.safetensors")
    text = g.add("CLIPLoader", (2720, 110), (300, 110), "T5", type="cogvideox", clip_name="t5xxl_fp16.safetensors")
    video_vae = g.add("VAELoader", (2720, 270), (300, 60), "CogVideoX VAE", vae_name="cogvideox_vae.safetensors")
    patch = g.add("PAMLoadHOIControlCogVideoX", (2720, 380), (300, 60), model_patch_name="pam_motion.safetensors")
    prompt = g.add("CLIPTextEncode", (2720, 490), (300, 110), "Prompt", clip=text[0], text="A man is in a lab trying to grasp something.")
    worse = g.add("CLIPTextEncode", (2720, 650), (300, 130), "Negative prompt", clip=text[0], text=NEGATIVE)
    start = g.add(
        "PAMCogVideoXFirstFrame", (3060, 0), (300, 190),
        positive=prompt[0], negative=worse[0], vae=video_vae[0], start_image=picture[0], width=720, height=480, length=49,
    )  # fmt: skip
    model = g.add(
        "PAMApplyHOIControlCogVideoX", (3060, 240), (300, 200),
        model=base[0], model_patch=patch[0], vae=video_vae[0], conditions=conditions[0],
    )  # fmt: skip
    sampling = g.add(
        "PAMCogVideoXSampling", (3060, 490), (300, 130),
        model=model[0], positive=start[0], negative=start[1], preset="quality (as released)", cfg=6.0,
    )  # fmt: skip
    noise = g.add("RandomNoise", (3400, 0), (300, 90), noise_seed=42)
    latent = g.add(
        "SamplerCustomAdvanced", (3400, 140), (300, 140),
        noise=noise[0], guider=sampling[0], sampler=sampling[1], sigmas=sampling[2], latent_image=start[2],
    )  # fmt: skip
    frames = g.add("VAEDecode", (3400, 330), (300, 60), samples=latent[0], vae=video_vae[0])
    made = g.add("CreateVideo", (3400, 440), (300, 110), images=frames[0], fps=15.0)
    g.add("SaveVideo", (3400, 600), (420, 460), "Save the clip", video=made[0], filename_prefix="PAM/clip")
    g.note(
        "Needs FLUX.1-dev, CogVideoX-5b-I2V and PAM's checkpoints: choose your files in the loaders, the README names the folders. "
        "Steps, samplers, guidance and prompts are PAM's; *CogVideoX Sampling* has faster presets too.",
        (2720, 830),
        (300, 150),
    )
    g.group("4 Motion", (2700, -80), (1140, 1080), "motion")
    return g
