"""Stages that several workflows share."""

from hostkit.graph import Graph, Node

TURN = {"rotation_x": -15, "rotation_y": 43, "rotation_z": -111}
FINGERS = {"thumb_flexion": -0.4, "index_flexion": -0.3, "ring_flexion": 0.25, "pinky_flexion": 0.35}
START = {"preset": "relaxed", "wrist_x": -0.24, "wrist_y": -0.12, "wrist_z": 0.15, **TURN}
TARGET = {"preset": "pinch", "wrist_x": -0.124, "wrist_y": -0.054, "wrist_z": 0.104, **TURN, **FINGERS}

POSE_NOTE = """## 1 Pose
Two hand poses and an object become a motion: **h_0** where the hand starts, **h_T** how it holds the mug. *Grasp Rollout* simulates \
approach, grasp and lift. Leave *target_pose* unconnected and a grasp is found for you.

World: metres, Z up, the table is Z = 0."""
CONDITIONS_NOTE = """## 2 Conditions
The camera frames the whole motion. *Render HOI Conditions* draws what the models are told: depth, segmentation, keypoints. \
Change the camera and only this and what follows runs again."""


def pose_stage(g: Graph, length: int, fps: float, lift: float) -> Node:
    """Hand, object and rollout; returns the rollout."""
    hand = g.add("PAMLoadManoHand", (0, 0), (300, 200))
    start = g.add("PAMHandPose", (340, 0), (300, 460), "Start pose h_0", hand=hand[0], **START)
    target = g.add("PAMHandPose", (340, 520), (300, 460), "Target pose h_T", hand=hand[0], **TARGET)
    mug = g.add("PAMDemoObject", (0, 250), (300, 150), kind="mug")
    placed = g.add("PAMPlaceObject", (0, 450), (300, 260), object=mug[0])
    motion = g.add(
        "PAMGraspRollout", (680, 0), (300, 480),
        hand=hand[0], start_pose=start[0], target_pose=target[0], object=placed[0], length=length, fps=fps, lift_height=lift, seed=0,
    )  # fmt: skip
    glb = g.add("PAMPreviewMotion3D", (680, 530), (300, 80), trajectory=motion[0])
    g.add("Preview3D", (680, 660), (300, 320), "The motion in 3D", model_file=glb[0])
    g.note(POSE_NOTE, (0, 760), (300, 220))
    g.group("1 Pose", (-20, -80), (1020, 1080), "pose")
    return motion


def condition_stage(g: Graph, motion: Node, width: int, height: int, skin: str = "medium") -> tuple[Node, Node]:
    """Camera and rendering; returns camera and conditions."""
    camera = g.add("PAMHOICamera", (1040, 0), (300, 340), mode="auto-frame", width=width, height=height, trajectory=motion[0], margin=0.06)
    conditions = g.add("PAMRenderConditions", (1040, 400), (300, 300), trajectory=motion[0], camera=camera[0], skin=skin)
    for index, name in enumerate(("depth", "segmentation", "keypoints", "preview")):
        place = (1370 + 305 * (index % 2), 490 * (index // 2))
        g.add("PreviewImage", place, (290, 430), "Shaded" if name == "preview" else name.capitalize(), images=conditions[name])
    g.note(CONDITIONS_NOTE, (1040, 850), (300, 130))
    g.group("2 Conditions", (1020, -80), (960, 1080), "conditions")
    return camera, conditions


def flux_loaders(g: Graph, weight_dtype: str = "default") -> tuple[Node, Node, Node, Node]:
    """FLUX.1-dev, its text encoders and VAE, and PAM's ControlNet."""
    flux = g.add("UNETLoader", (2020, 0), (300, 90), "FLUX.1-dev", unet_name="flux1-dev.safetensors", weight_dtype=weight_dtype)
    texts = {"clip_name1": "clip_l.safetensors", "clip_name2": "t5xxl_fp16.safetensors"}
    clip = g.add("DualCLIPLoader", (2020, 130), (300, 140), type="flux", **texts)
    vae = g.add("VAELoader", (2020, 320), (300, 60), "Flux VAE", vae_name="ae.safetensors")
    control = g.add("PAMLoadHOIControlNetFlux", (2020, 430), (300, 90), control_net_name="pam_controlnet.bin")
    return flux, clip, vae, control


def small_picture(g: Graph, conditions: Node, text: str, batch_size: int = 1) -> Node:
    """Guided pictures by the shipped small models; returns the pictures."""
    small = g.add("PAMLoadMiniAppearance", (2020, 0), (300, 120))
    positive = g.add("CLIPTextEncode", (2020, 170), (300, 120), "Prompt", clip=small["CLIP"], text=text)
    negative = g.add("CLIPTextEncode", (2020, 340), (300, 100), "Negative prompt", clip=small["CLIP"], text="")
    guided = g.add(
        "PAMApplyHOIControlNet", (2360, 0), (300, 430),
        positive=positive[0], negative=negative[0], control_net=small["CONTROL_NET"], conditions=conditions[0], vae=small["VAE"],
    )  # fmt: skip
    empty = g.add("EmptySD3LatentImage", (2020, 490), (300, 130), width=288, height=192, batch_size=batch_size)
    sampled = g.add(
        "KSampler", (2360, 480), (300, 280),
        model=small["MODEL"], positive=guided[0], negative=guided[1], latent_image=empty[0], seed=42, steps=20, cfg=1.5,
        sampler_name="euler", scheduler="simple",
    )  # fmt: skip
    picture = g.add("VAEDecode", (2360, 810), (300, 60), samples=sampled[0], vae=small["VAE"])
    return refined(g, (2020, 670), picture, small, conditions[0])


def refined(g: Graph, spot: tuple[int, int], pictures: Node, small: Node, conditions: tuple, start: tuple | None = None) -> Node:
    """Pictures of a small model refined: a clip that begins with a start image, or first frames without one."""
    given = dict(shows="its first frame") if start is None else dict(start_image=start)
    return g.add("PAMRefineFrames", spot, (300, 170), refiner=small["REFINER"], images=pictures[0], conditions=conditions, **given)


def small_sampler(g: Graph, spot: tuple[int, int], model: Node, start: Node, seed) -> Node:
    """The sampler of the small video model, which was trained for two steps."""
    return g.add(
        "KSampler", spot, (300, 280),
        model=model[0], positive=start[0], negative=start[1], latent_image=start[2], seed=seed, steps=2, cfg=1.0,
        sampler_name="euler", scheduler="simple",
    )  # fmt: skip
