"""Conditions taken apart."""

from hostkit.graph import Graph


def studio(info: dict) -> Graph:
    """Own mesh, own numbers, own pictures: every modality apart and together again."""
    g = Graph(info)
    hand = g.add("PAMLoadManoHand", (0, 0), (300, 200))
    start = g.add(
        "PAMHandPoseFromNumbers", (0, 250), (300, 400), "Start pose h_0", hand=hand[0], wrist_y=-0.24, wrist_z=0.14, rotation_y=60
    )
    bottle = g.add("PAMDemoObject", (0, 700), (300, 150), kind="bottle")
    g.add("PAMLoadObjectMesh", (0, 900), (300, 260), "Your own mesh: connect it instead")
    motion = g.add(
        "PAMGraspRollout", (340, 0), (300, 480), hand=hand[0], start_pose=start[0], object=bottle[0], length=17, fps=8.0, lift_height=0.12
    )
    camera = g.add("PAMHOICamera", (340, 530), (300, 340), mode="auto-frame", width=480, height=320, trajectory=motion[0])
    rendered = g.add("PAMRenderConditions", (680, 0), (300, 300), trajectory=motion[0], camera=camera[0], style="dexycb")
    parts = g.add("PAMUnpackConditions", (680, 350), (300, 240), conditions=rendered[0])
    soft = g.add("ImageBlur", (1020, 0), (300, 110), "Any other node", image=parts["depth"], blur_radius=2, sigma=1.0)
    packed = g.add("PAMPackConditions", (1020, 160), (300, 180), conditions=rendered[0], depth=soft[0])
    again = g.add("PAMUnpackConditions", (1020, 390), (300, 240), conditions=packed[0])
    for row, name in enumerate(("depth", "segmentation", "keypoints")):
        g.add("PreviewImage", (1360, 340 * row), (360, 300), name.capitalize(), images=again[name])
    g.note(
        "No target pose is connected here: a grasp is found by trying. For an object of your own put a mesh into *input/3d* and connect "
        "*Load Object Mesh*.\n\nAny condition can be taken out, changed by other nodes or replaced by outside pictures (Depth Anything, "
        "SAM, DWPose), and packed again.",
        (340, 920),
        (640, 200),
    )
    return g
