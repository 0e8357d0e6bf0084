"""Clips of the included small model against the truth, for as many scenes as there are prompts."""

from hostkit.graph import Graph, Node

from .stages import START, condition_stage, refined, small_sampler

SIZE = dict(width=288, height=192)
SCENES_NOTE = """## 1 Scenes
*HOI Prompt* makes one prompt and one seed for each scene: *count* says how many. The seed is also that of the grasp, so each scene has \
a motion of its own, and everything that follows runs once for each.

The prompt names what the shaded preview shows: tan skin, a red mug, a grey table."""
CLIP_NOTE = """## 3 Clips
The clip starts from the **true** first frame, so only the video model is judged, as in PAM's paper."""
MEASURE_NOTE = """## 4 Measured
*Compare Clips* compares each clip with the shaded preview, which is its truth here; with the optical flow of the bundle also its exact \
motion. *Fréchet Video Distance* compares all clips with all truths at once.

**LPIPS and FVD** need a network that cannot be shipped: put it into *models/metrics*, choose it in *Load Metric Network* and unmute \
that node (Ctrl-M). Such a file is a program: take it from people you trust.

**Your own clips:** *Load Video* and *Get Video Components* in place of the decoder and of the preview."""


def compare_clips(info: dict) -> Graph:
    """Two scenes, their clips, every measure."""
    g = Graph(info)
    prompt, motion = _scenes(g)
    camera, conditions = condition_stage(g, motion, **SIZE, skin="tan")
    frames = _clips(g, prompt, conditions)
    flow = g.add("PAMOpticalFlow", (1370, 980), (300, 210), trajectory=motion[0], camera=camera[0], conditions=conditions[0])
    _measures(g, frames, conditions, flow)
    return g


def _scenes(g: Graph) -> tuple[Node, Node]:
    """Prompts, and a motion for each; returns both."""
    words = dict(skin="tan skin", action="picking up", color="red", object="mug", scene="on a grey table", light="bright light")
    prompt = g.add("PAMHOIPrompt", (0, 0), (300, 460), "Prompts and seeds", preset="mini motion", seed=7, count=2, **words)
    hand = g.add("PAMLoadManoHand", (0, 520), (300, 200))
    start = g.add("PAMHandPose", (340, 0), (300, 460), "Start pose h_0", hand=hand[0], **START)
    mug = g.add("PAMDemoObject", (340, 520), (300, 150), kind="mug", natural_color=False, color="#c62122")
    motion = g.add(
        "PAMGraspRollout", (680, 0), (300, 480),
        hand=hand[0], start_pose=start[0], object=mug[0], length=17, fps=8.0, lift_height=0.12, seed=prompt["seeds"],
    )  # fmt: skip
    glb = g.add("PAMPreviewMotion3D", (680, 530), (300, 80), trajectory=motion[0])
    g.add("Preview3D", (680, 660), (300, 320), "The motions in 3D", model_file=glb[0])
    g.note(SCENES_NOTE, (0, 770), (640, 210))
    g.group("1 Scenes", (-20, -80), (1020, 1080), "pose")
    return prompt, motion


def _clips(g: Graph, prompt: Node, conditions: Node) -> Node:
    """The small video model from the true first frame; returns the frames."""
    video = g.add("PAMLoadMiniMotion", (2020, 0), (300, 120))
    positive = g.add("CLIPTextEncode", (2020, 170), (300, 90), "Prompt", clip=video["CLIP"], text=prompt["prompt"])
    negative = g.add("CLIPTextEncode", (2020, 310), (300, 90), "Negative prompt", clip=video["CLIP"], text="")
    start = g.add(
        "PAMCogVideoXFirstFrame", (2020, 450), (300, 190),
        positive=positive[0], negative=negative[0], vae=video["VAE"], start_image=conditions["preview"], **SIZE, length=17,
    )  # fmt: skip
    model = g.add(
        "PAMApplyHOIControlCogVideoX", (2360, 0), (300, 280),
        model=video["MODEL"], model_patch=video["MODEL_PATCH"], vae=video["VAE"], conditions=conditions[0],
    )  # fmt: skip
    latent = small_sampler(g, (2360, 330), model, start, prompt["seeds"])
    g.note(CLIP_NOTE, (2020, 790), (300, 190))
    g.group("3 Clips", (2000, -80), (680, 1080), "motion")
    frames = g.add("VAEDecode", (2360, 660), (300, 60), samples=latent[0], vae=video["VAE"])
    return refined(g, (2360, 770), frames, video, conditions[0], conditions["preview"])


def _measures(g: Graph, frames: Node, conditions: Node, flow: Node) -> None:
    lpips = g.add("PAMLoadMetricNetwork", (2720, 0), (300, 110), "LPIPS (muted)", kind="LPIPS", network_file="lpips_alex.pt")
    i3d = g.add("PAMLoadMetricNetwork", (2720, 160), (300, 110), "I3D (muted)", kind="I3D", network_file="i3d_torchscript.pt")
    for network in (lpips, i3d):
        g.mute(network)
    pair = dict(images=frames[0], reference=conditions["preview"])
    compared = g.add("PAMCompareClips", (2720, 320), (300, 400), **pair, conditions=flow["conditions"], lpips=lpips[0])
    distance = g.add("PAMVideoDistance", (2720, 770), (300, 130), **pair, i3d=i3d[0])
    g.add("PreviewImage", (3060, 0), (320, 430), "Generated", images=frames[0])
    g.add("PreviewImage", (3060, 490), (320, 430), "Difference", images=compared["difference"])
    g.add("PreviewImage", (3420, 0), (420, 430), "Over the frames", images=compared["plot"])
    g.add("PreviewAny", (3420, 490), (420, 250), "Each clip", source=compared["report"])
    g.add("PreviewAny", (3420, 790), (420, 180), "All clips", source=distance["report"])
    g.note(MEASURE_NOTE, (3880, 0), (320, 520))
    g.group("4 Measured", (2700, -80), (1520, 1080), "motion")
