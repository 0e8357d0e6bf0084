"""The pose stage by itself: GraspXL's policy, target poses, recordings, two hands, editing."""

from hostkit.graph import Graph, Node

from .stages import TARGET, TURN

HIGH = (300, 460)
"""Size of a Pose Hand node."""


def film(g: Graph, motion: Node, at: tuple[int, int], title: str = "The motion in 3D") -> None:
    """3D preview and shaded film of a motion, from ``at`` to the right."""
    x, y = at
    glb = g.add("PAMPreviewMotion3D", (x, y), (300, 80), trajectory=motion)
    g.add("Preview3D", (x, y + 130), (300, 330), title, model_file=glb[0])
    camera = g.add("PAMHOICamera", (x, y + 520), (300, 340), mode="auto-frame", width=480, height=320, trajectory=motion, margin=0.08)
    rendered = g.add("PAMRenderConditions", (x + 340, y), (300, 300), trajectory=motion, camera=camera[0])
    g.add("PreviewImage", (x + 340, y + 350), (300, 250), "Film", images=rendered["preview"])
    g.add("PreviewImage", (x + 340, y + 650), (300, 210), "Key points", images=rendered["keypoints"])
    g.group("Seen", (x - 20, y - 80), (680, 960), "conditions")


def judged(g: Graph, motion: Node, at: tuple[int, int], **demands) -> Node:
    """Quality, its plot and its lines; returns the quality node."""
    x, y = at
    quality = g.add("PAMGraspQuality", (x, y), (300, 330), trajectory=motion, **demands)
    g.add("PreviewAny", (x, y + 380), (300, 220), "Measured", source=quality["report"])
    g.add("PreviewImage", (x, y + 650), (300, 210), "Over the frames", images=quality["plot"])
    return quality


def graspxl(info: dict) -> Graph:
    """GraspXL's policy without RaiSim."""
    g = Graph(info)
    hand = g.add("PAMLoadManoHand", (0, 0), (300, 200))
    policy = g.add("PAMLoadGraspPolicy", (0, 250), (300, 60), policy_file="full_5600_r.pt")
    can = g.add("PAMDemoObject", (0, 360), (300, 150), kind="can")
    placed = g.add("PAMPlaceObject", (0, 560), (300, 260), "Object where it comes to rest", object=can[0], settle=True)
    start = g.add("PAMHandPose", (340, 0), HIGH, "Start pose h_0", hand=hand[0], preset="relaxed", wrist_x=0, wrist_y=-0.3, wrist_z=0.2)
    objective = g.add("PAMGraspObjective", (340, 510), (300, 330))
    motion = g.add(
        "PAMGraspRollout", (680, 0), (300, 480), hand=hand[0], start_pose=start[0], object=placed[0], policy=policy[0],
        objective=objective[0], length=145, fps=30.0, lift_height=0.2, max_attempts=10,
    )  # fmt: skip
    timed = g.add("PAMRetimeTrajectory", (680, 560), (300, 330), trajectory=motion[0], length=49, fps=15.0, ease_out=0.1)
    quality = judged(g, timed[0], (1020, 0))
    g.note(
        "## GraspXL on your CPU\nPut `full_5600_r.pt` of GraspXL into *models/graspxl* (licence CC BY-NC 4.0) and choose it here. With a "
        "MANO hand in *models/mano* the grasps are those it was trained for; the included hand works nearly as well.\n\n*Grasp Objective* "
        "fixes the side, the turn or the point to hold; connect a target pose instead to say exactly where.",
        (0, 880),
        (640, 160),
    )
    g.group("Grasp", (-20, -80), (1360, 1140), "pose")
    film(g, quality[0], (1400, 0))
    return g


def target(info: dict) -> Graph:
    """From h_0 to h_T, then to another place."""
    g = Graph(info)
    hand = g.add("PAMLoadManoHand", (0, 0), (300, 200))
    mug = g.add("PAMDemoObject", (0, 250), (300, 150), kind="mug")
    placed = g.add("PAMPlaceObject", (0, 450), (300, 260), "Where it starts", object=mug[0])
    goal = g.add("PAMPlaceObject", (0, 760), (300, 260), "Where it goes", object=mug[0], x=0.12, y=0.1)
    start = g.add(
        "PAMHandPose", (340, 0), HIGH, "Start pose h_0", hand=hand[0], preset="relaxed", wrist_x=-0.24, wrist_y=-0.12, wrist_z=0.15, **TURN
    )
    aim = g.add("PAMHandPose", (340, 510), HIGH, "Target pose h_T", hand=hand[0], **TARGET)
    checked = g.add("PAMCheckHandPose", (680, 0), (300, 150), hand=hand[0], pose=aim[0], clamp=True)
    numbers = g.add("PAMHandPoseToNumbers", (680, 200), (300, 200), hand=hand[0], pose=checked[0])
    g.add("PreviewAny", (680, 450), (300, 120), "h_T as numbers", source=numbers[0])
    motion = g.add(
        "PAMGraspRollout", (1020, 0), (300, 480), hand=hand[0], start_pose=start[0], target_pose=checked[0], object=placed[0],
        goal_object=goal[0], length=97, fps=24.0, lift_height=0.12,
    )  # fmt: skip
    quality = judged(g, motion[0], (1360, 0), need_success=True)
    g.add("PAMSaveMotion", (1020, 560), (300, 110), trajectory=quality[0], format="glb", filename_prefix="PAM/carry")
    g.note(
        "## From pose to pose\n**h_0** is where the hand starts, **h_T** how it holds the mug where it stands. The grasp is simulated: "
        "fingers stop at the surface. *Where it goes* is the goal of the mug; unconnect it and the mug is held in the air.\n\nh_T may also "
        "come from a recording: *Load Recorded Motion*, *Get Trajectory Frame* with *object_at_start*.",
        (680, 720),
        (640, 200),
    )
    g.group("Grasp and carry", (-20, -80), (1700, 1140), "pose")
    film(g, quality[0], (1740, 0))
    return g


def recorded(info: dict) -> Graph:
    """A recording, cleaned and brought to a video."""
    g = Graph(info)
    hand = g.add("PAMLoadManoHand", (0, 0), (300, 200))
    mug = g.add("PAMDemoObject", (0, 250), (300, 150), kind="mug")
    loaded = g.add("PAMLoadRecordedMotion", (0, 450), (300, 360), hand=hand[0], object=mug[0])
    g.add("PreviewAny", (0, 860), (300, 120), "What was read", source=loaded["info"])
    trimmed = g.add("PAMTrimTrajectory", (340, 0), (300, 110), trajectory=loaded[0], start=8, end=-1)
    calm = g.add("PAMSmoothTrajectory", (340, 160), (300, 140), trajectory=trimmed[0], seconds=0.04)
    timed = g.add(
        "PAMRetimeTrajectory", (340, 350), (300, 330), trajectory=calm[0], length=49, fps=15.0, speed_limit=0.8, ease_in=0.05, ease_out=0.1
    )
    quality = judged(g, timed[0], (680, 0))
    g.add("PAMSaveMotion", (340, 730), (300, 110), trajectory=quality[0], format="joints csv", filename_prefix="PAM/recorded")
    g.note(
        "## Play recorded motion\nPut files of GraspXL, ARCTIC, DexYCB, OAKINK2, HaMeR and others into *input/motion* and choose one; the "
        "format is recognised. Load the object's mesh with *Load Object Mesh* (recenter off) and connect it.\n\nData sets move up to "
        "2.5 m/s: *Retime* slows the fast parts down.",
        (340, 890),
        (640, 150),
    )
    g.group("Recording", (-20, -80), (1020, 1140), "pose")
    film(g, quality[0], (1060, 0))
    return g


def two_hands(info: dict) -> Graph:
    """A right and a left rollout in one scene."""
    g = Graph(info)
    right = g.add("PAMLoadManoHand", (0, 0), (300, 200), "Right hand")
    left = g.add("PAMLoadManoHand", (0, 250), (300, 200), "Left hand", side="left")
    can = g.add("PAMDemoObject", (0, 500), (300, 150), "Right object", kind="can")
    ball = g.add("PAMDemoObject", (0, 700), (300, 150), "Left object", kind="ball")
    here = g.add("PAMPlaceObject", (340, 620), (300, 260), object=can[0], x=0.16)
    there = g.add("PAMPlaceObject", (680, 620), (300, 260), object=ball[0], x=-0.16)
    start = g.add(
        "PAMHandPose", (340, 0), HIGH, "Right start pose", hand=right[0], preset="relaxed", wrist_x=0.16, wrist_y=-0.3, wrist_z=0.2
    )
    other = g.add("PAMMirrorHandPose", (680, 0), (300, 60), "Left start pose", pose=start[0])
    rest = g.add("PAMHandPose", (680, 110), HIGH, "Looser fingers", hand=left[0], preset="flat", wrist_x=-0.16, wrist_y=-0.3, wrist_z=0.2)
    loose = g.add("PAMBlendHandPoses", (1020, 560), (300, 120), first=other[0], second=rest[0], share=0.4, what="fingers")
    first = g.add(
        "PAMGraspRollout", (1020, 0), (300, 480), "Right rollout", hand=right[0], start_pose=start[0], object=here[0], lift_height=0.15
    )
    second = g.add(
        "PAMGraspRollout", (1360, 0), (300, 480), "Left rollout", hand=left[0], start_pose=loose[0], object=there[0], lift_height=0.15
    )
    merged = g.add("PAMMergeTrajectories", (1360, 560), (300, 150), first=first[0], second=second[0])
    g.add("PreviewAny", (1360, 760), (300, 110), "Collisions", source=merged["collisions"])
    g.note(
        "## Two hands\nEach hand is simulated by itself; *Merge Trajectories* puts both into one scene and says what runs into each other. "
        "*objects* keeps one of the objects when both hands hold the same thing.",
        (1020, 730),
        (300, 200),
    )
    g.group("Two rollouts", (-20, -80), (1700, 1000), "pose")
    film(g, merged[0], (1740, 0))
    return g


def editing(info: dict) -> Graph:
    """Motion cut and put together."""
    g = Graph(info)
    hand = g.add("PAMLoadManoHand", (0, 0), (300, 200))
    mug = g.add("PAMDemoObject", (0, 250), (300, 150), kind="mug")
    loaded = g.add("PAMLoadRecordedMotion", (0, 450), (300, 360), hand=hand[0], object=mug[0])
    moved = g.add("PAMOffsetTrajectory", (340, 0), (300, 240), trajectory=loaded[0], rotation_z=60)
    blended = g.add("PAMBlendTrajectories", (340, 290), (300, 140), "From one into the other", first=loaded[0], second=moved[0])
    last = g.add("PAMGetTrajectoryFrame", (340, 480), (300, 190), trajectory=blended[0])
    held = g.add(
        "PAMMakeTrajectory", (340, 720), (300, 170), "Hold the last pose", hand=last[2], pose=last[0], object=last[1], length=12, fps=30
    )
    joined = g.add("PAMConcatTrajectories", (680, 0), (300, 110), first=blended[0], second=held[0], bridge=0)
    seen = g.add("PAMMirrorTrajectory", (680, 160), (300, 60), trajectory=joined[0])
    timed = g.add("PAMRetimeTrajectory", (680, 270), (300, 330), trajectory=seen[0], length=49, fps=15.0)
    g.note(
        "## Edit motion\nThe example is faded into a turned copy of itself, its last pose is held, the whole is mirrored (the right hand "
        "becomes a left one) and fitted to 49 frames.\n\nEdited motion is not simulated again: *Grasp Quality* shows the contact.",
        (680, 650),
        (300, 240),
    )
    g.group("Edit", (-20, -80), (1020, 1000), "pose")
    film(g, timed[0], (1060, 0))
    return g
