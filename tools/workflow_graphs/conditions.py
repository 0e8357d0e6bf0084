"""Every modality, side by side."""

from hostkit.graph import Graph, Node

NOTE_POSE = """## Any motion
No target pose is connected: a grasp is found by trying. For an object of your own put a mesh into *input/3d* and connect *Load Object \
Mesh*."""
NOTE_CAMERA = """## A moving camera
*HOI Camera* frames the motion, *HOI Camera Path* walks around it. Everything on the right is seen by the same camera. \
*Camera to Other Nodes* gives it to 3D viewers and camera packs, *Camera from Matrices* takes theirs."""
NOTE_LOOKS = """## One bundle, many looks
*Render HOI Conditions* draws once; *Depth Look*, *Segmentation Look* and *Fit* only change how it is shown. Any modality can be \
taken out, changed by other nodes (Depth Anything, SAM, DWPose) and packed again."""
NOTE_EXTRAS = """## Exact, not estimated
Flow, tracking, contact and whole hands come from the meshes. For DWPose or SDPose connect their keypoints to *Draw Pose Keypoints*."""
STEP = 330


def studio(info: dict) -> Graph:
    """Own mesh, own numbers, own pictures: every modality apart and together again."""
    g = Graph(info)
    motion = _pose(g)
    camera = _camera(g, motion)
    rendered = g.add(
        "PAMRenderConditions", (1060, 0), (300, 360), trajectory=motion[0], camera=camera[0], style="dexycb", normals=True, preview=False
    )
    _bundle(g, rendered)
    _extras(g, motion, camera, rendered)
    return g


def _pose(g: Graph) -> Node:
    hand = g.add("PAMLoadManoHand", (0, 0), (300, 200))
    start = g.add(
        "PAMHandPoseFromNumbers", (0, 250), (300, 400), "Start pose h_0", hand=hand[0], wrist_y=-0.24, wrist_z=0.14, rotation_y=60
    )
    bottle = g.add("PAMDemoObject", (0, 700), (300, 150), kind="bottle")
    g.add("PAMLoadObjectMesh", (0, 900), (300, 260), "Your own mesh: connect it instead")
    g.note(NOTE_POSE, (340, 1110), (300, 170))
    motion = g.add(
        "PAMGraspRollout", (340, 0), (300, 480), hand=hand[0], start_pose=start[0], object=bottle[0], length=17, fps=8.0, lift_height=0.12
    )
    g.group("1 Pose", (-20, -80), (680, 1430), "pose")
    return motion


def _camera(g: Graph, motion: Node) -> Node:
    size = dict(width=480, height=320)
    fixed = g.add("PAMHOICamera", (700, 0), (300, 370), mode="auto-frame", margin=0.16, **size, trajectory=motion[0])
    path = g.add("PAMHOICameraPath", (700, 430), (300, 310), camera=fixed[0], trajectory=motion[0], orbit=35.0, handheld=0.5)
    out = g.add("PAMCameraToOthers", (700, 800), (300, 190), camera=path[0])
    back = g.add("PAMCameraFromMatrices", (700, 1040), (300, 110), extrinsics=out[0], intrinsics=out[1], **size)
    glb = g.add("PAMPreviewMotion3D", (340, 520), (300, 80), trajectory=motion[0])
    g.add("Preview3D", (340, 660), (300, 400), "Seen from the camera", model_file=glb[0], camera_info=out["camera_info"])
    g.note(NOTE_CAMERA, (700, 1180), (300, 150))
    return back


def _bundle(g: Graph, rendered: Node) -> None:
    grey = g.add("PAMDepthLook", (1060, 420), (300, 180), conditions=rendered[0], look="grey inverse", range="clip")
    custom = g.add("PAMSegmentationLook", (1060, 660), (300, 160), conditions=rendered[0], palette="oakink2", objects="mustard bottle")
    normals = g.add("PAMPickCondition", (1060, 880), (300, 130), conditions=rendered[0], modality="normals")
    soft = g.add("ImageBlur", (1060, 1070), (300, 110), "Any other node", image=rendered["depth"], blur_radius=2, sigma=1.0)
    packed = g.add("PAMPackConditions", (1400, 840), (300, 200), conditions=rendered[0], depth=soft[0])
    fitted = g.add("PAMFitConditions", (1400, 1090), (300, 180), conditions=packed[0], width=240, height=160, length=9, fps=8.0)
    again = g.add("PAMUnpackConditions", (1740, 880), (300, 290), conditions=fitted[0])
    g.note(NOTE_LOOKS, (1400, 660), (300, 140))
    pictures = {
        "Depth": rendered["depth"], "Segmentation": rendered["segmentation"], "Keypoints": rendered["keypoints"], "Normals": normals[0],
        "Depth, grey": grey["depth"], "Segmentation, OAKINK2": custom["segmentation"], "Depth, changed and packed again": again["depth"],
    }  # fmt: skip
    _previews(g, pictures, (1740, 0))
    g.group("2 Conditions", (680, -80), (2390, 1430), "conditions")


def _extras(g: Graph, motion: Node, camera: Node, rendered: Node) -> None:
    view = dict(trajectory=motion[0], camera=camera[0])
    x = 3120
    flow = g.add("PAMOpticalFlow", (x, 0), (300, 210), **view, table=True)
    points = g.add("PAMTrackingVideo", (x, 260), (300, 210), **view, conditions=rendered[0])
    dense = g.add("PAMTrackingVideo", (x, 520), (300, 210), **view, look="dense", table=False)
    contact = g.add("PAMContactMap", (x, 780), (300, 130), **view)
    layers = g.add("PAMAmodalLayers", (x, 960), (300, 150), **view)
    shaded = g.add("PAMShadedPreview", (x + 340, 0), (300, 260), **view, table="wood")
    hidden = g.add("PAMHandKeypoints", (x + 340, 310), (300, 210), "Hidden joints dimmed", **view, hidden="dim", style="oakink2")
    rainbow = g.add("PAMHandKeypoints", (x + 340, 570), (300, 210), "OpenPose style", **view, style="openpose")
    drawn = g.add("PAMDrawPoseKeypoints", (x + 340, 830), (300, 190), pose_keypoint=rainbow["pose_keypoint"])
    g.note(NOTE_EXTRAS, (x + 340, 1070), (300, 140))
    pictures = {
        "Optical flow": flow["flow"], "3D tracking": points["tracking"], "3D tracking, dense": dense["tracking"],
        "Shaded": shaded["preview"], "Contact": contact["contact"], "Whole hand": layers["hands"], "Whole object": layers["objects"],
        "Keypoints, OAKINK2": hidden["keypoints"], "Keypoints, OpenPose": rainbow["keypoints"], "From POSE_KEYPOINT": drawn["keypoints"],
    }  # fmt: skip
    _previews(g, pictures, (x + 680, 0))
    g.group("3 Further modalities", (x - 20, -80), (700 + 4 * STEP, 1430), "data")


def _previews(g: Graph, pictures: dict, at: tuple[int, int]) -> None:
    """Previews in rows of four."""
    for i, (title, images) in enumerate(pictures.items()):
        g.add("PreviewImage", (at[0] + STEP * (i % 4), at[1] + 430 * (i // 4)), (310, 380), title, images=images)
