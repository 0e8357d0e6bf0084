"""Several first frames, the best of them, and a check of its clip, on the included small models."""

from hostkit.graph import Graph, Node

from .stages import condition_stage, pose_stage, refined, small_sampler

SIZE = dict(width=288, height=192)
PROMPT_NOTE = """## 3 First frames
*HOI Prompt* draws skin, colour, table and light by seed; *count* makes several prompts, and what follows runs once for each. The clip's \
prompt has the same seed, so it speaks of the same things.

*Score HOI Frames* looks for the hand with MediaPipe's landmark model (`pip install ai-edge-litert`) and compares outlines and colours. \
*Pick Frame* takes the best. By eye: set *pick* to *by eye*, look, set *index*; only what follows runs again."""
CHECK_NOTE = """## 4 Clip, checked
*HOI Consistency* measures every frame. **Regenerate:** set *stop_below* to 1, set the seed of this group's KSampler to *increment*, \
and queue the workflow ten times: a clip that fails stops its run before it is saved, the next seed goes on. All up to *Pick Frame* \
is kept and does not run again.

*min_hands* is 0 here, because the small video model's moving hands are too coarse for the landmark model; use 0.5 with CogVideoX-5B."""


def pick_and_check(info: dict) -> Graph:
    """Prompt variety, score, pick, clip, consistency."""
    g = Graph(info)
    motion = pose_stage(g, 17, 8.0, 0.12)
    camera, conditions = condition_stage(g, motion, **SIZE)
    picked = _frames(g, conditions)
    _clip(g, motion, camera, conditions, picked)
    return g


def _frames(g: Graph, conditions: Node) -> Node:
    image = g.add("PAMLoadMiniAppearance", (2020, 0), (300, 120))
    words = dict(object="mug", skin="{light|tan|brown} skin", seed=7, count=4)
    prompt = g.add(
        "PAMHOIPrompt", (2020, 170), (300, 460), "Prompts of the picture", preset="mini appearance", action="reaching for", **words
    )
    clip_prompt = g.add("PAMHOIPrompt", (2020, 700), (300, 460), "Prompts of the clip", preset="mini motion", action="picking up", **words)
    positive = g.add("CLIPTextEncode", (2360, 0), (300, 90), "Prompt", clip=image["CLIP"], text=prompt["prompt"])
    negative = g.add("CLIPTextEncode", (2360, 140), (300, 90), "Negative prompt", clip=image["CLIP"], text="")
    guided = g.add(
        "PAMApplyHOIControlNet", (2360, 280), (300, 430),
        positive=positive[0], negative=negative[0], control_net=image["CONTROL_NET"], conditions=conditions[0], vae=image["VAE"],
    )  # fmt: skip
    empty = g.add("EmptySD3LatentImage", (2360, 760), (300, 110), **SIZE)
    sampled = g.add(
        "KSampler", (2360, 920), (300, 280),
        model=image["MODEL"], positive=guided[0], negative=guided[1], latent_image=empty[0], seed=prompt["seeds"], steps=20, cfg=1.5,
        sampler_name="euler", scheduler="simple",
    )  # fmt: skip
    pictures = g.add("VAEDecode", (2700, 0), (300, 60), samples=sampled[0], vae=image["VAE"])
    pictures = refined(g, (2700, 110), pictures, image, conditions[0])
    scored = g.add(
        "PAMScoreHOIFrames", (2700, 330), (300, 170), images=pictures[0], conditions=conditions[0], object_color=prompt["colors"]
    )
    g.add("PreviewAny", (2700, 550), (300, 200), "Measured", source=scored["report"])
    picked = g.add(
        "PAMPickFrame", (2700, 800), (460, 500),
        images=pictures[0], scores=scored["scores"], annotated=scored["annotated"], texts=clip_prompt["prompt"], seeds=prompt["seeds"],
    )  # fmt: skip
    g.note(PROMPT_NOTE, (3020, 0), (320, 420))
    g.group("3 First frames", (2000, -80), (1360, 1080), "appearance")
    return picked


def _clip(g: Graph, motion: Node, camera: Node, conditions: Node, picked: Node) -> None:
    x = 3400
    video = g.add("PAMLoadMiniMotion", (x, 0), (300, 120))
    prompt = g.add("CLIPTextEncode", (x, 170), (300, 90), "Prompt", clip=video["CLIP"], text=picked["text"])
    no_prompt = g.add("CLIPTextEncode", (x, 310), (300, 90), "Negative prompt", clip=video["CLIP"], text="")
    start = g.add(
        "PAMCogVideoXFirstFrame", (x, 450), (300, 190),
        positive=prompt[0], negative=no_prompt[0], vae=video["VAE"], start_image=picked["image"], **SIZE, length=17,
    )  # fmt: skip
    model = g.add(
        "PAMApplyHOIControlCogVideoX", (x, 690), (300, 200),
        model=video["MODEL"], model_patch=video["MODEL_PATCH"], vae=video["VAE"], conditions=conditions[0],
    )  # fmt: skip
    latent = small_sampler(g, (x + 340, 0), model, start, 42)
    frames = g.add("VAEDecode", (x + 340, 330), (300, 60), samples=latent[0], vae=video["VAE"])
    frames = refined(g, (x + 340, 440), frames, video, conditions[0], picked["image"])
    flow = g.add("PAMOpticalFlow", (x + 340, 660), (300, 210), trajectory=motion[0], camera=camera[0], conditions=conditions[0])
    checked = g.add("PAMHOIConsistency", (x + 340, 920), (300, 300), images=frames[0], conditions=flow["conditions"], min_hands=0.0)
    g.add("PreviewAny", (x + 680, 0), (320, 180), "Measured", source=checked["report"])
    g.add("PreviewImage", (x + 680, 230), (320, 330), "Over the frames", images=checked["plot"])
    g.add("PreviewImage", (x + 680, 610), (320, 390), "Frame by frame", images=checked["annotated"])
    made = g.add("CreateVideo", (x + 1040, 0), (300, 80), images=checked["images"], fps=8.0)
    g.add("SaveVideo", (x + 1040, 130), (420, 460), "Save the clip", video=made[0], filename_prefix="PAM/checked")
    g.note(CHECK_NOTE, (x + 1040, 640), (420, 300))
    g.group("4 Clip, checked", (x - 20, -80), (1500, 1080), "motion")
