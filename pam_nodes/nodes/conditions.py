"""Nodes: conditions."""

from comfy_api.latest import io

from .sockets import CONDITIONS, HoiCamera, HoiConditions, HoiTrajectory
from .tensors import IN_FILES, array, check_bundle, check_view, image, mask, modality

STYLES = ["dexycb", "oakink2"]
RENDERERS = ["auto", "numpy", "numba", "torch", "pyrender"]
STYLE_TIP = "Whose colours the pictures have: the data set the ControlNet was trained on."


def _masks(conditions):
    """Hand and object MASK of a clip."""
    from ..conditions.pack import masks

    return tuple(mask(values) for values in masks(conditions))


def _check_memory(trajectory, camera, length: int, preview: bool, normals: bool, pictures: bool) -> None:
    """Raise before any work if what *Render HOI Conditions* gives does not fit into memory."""
    from ..conditions.frames import BYTES
    from ..conditions.memory import IMAGE, MASK

    parts, advice = ["the bundle"], ["lower length"]
    need = BYTES["depth"] + BYTES["ids"] + normals * BYTES["normals"]
    # The preview's bytes are there until its IMAGE is made, the masks' truth values until their MASKs are.
    need += max(preview * (BYTES["rgb"] + IMAGE), pictures * (preview * IMAGE + 3 * IMAGE + 2 * MASK + 3))
    if pictures:
        parts += ["depth, segmentation, keypoints", "masks"]
        advice.append("switch off pictures")
    if preview:
        parts.append("preview")
        advice.append("switch off preview")
    check_view(trajectory, camera, length, need, ", ".join(parts), f"{', '.join(advice)}, or {IN_FILES}")


class PAMRenderConditions(io.ComfyNode):
    """Draws depth, segmentation and key points of a trajectory."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs."""
        return io.Schema(
            node_id="PAMRenderConditions",
            display_name="Render HOI Conditions (PAM)",
            category=CONDITIONS,
            description="Films a trajectory: the depth, segmentation and hand key-point pictures that the appearance and motion models "
            "follow, exact masks, and a shaded preview.",
            search_aliases=["depth", "segmentation", "keypoints", "hand pose", "render", "mask", "control video"],
            inputs=[
                HoiTrajectory.Input("trajectory", tooltip="Hands and objects in motion."),
                HoiCamera.Input("camera", tooltip="Where it is filmed from, and the size of the pictures."),
                io.Combo.Input("style", options=STYLES, tooltip=STYLE_TIP),
                io.Int.Input("length", default=0, min=0, max=100000, tooltip="Frames to draw from the start; 0 draws all."),
                io.Boolean.Input("preview", default=True, tooltip="Also draw the shaded preview. Off saves about half of the time."),
                io.Combo.Input(
                    "skin", options=["medium", "light", "tan", "brown", "dark"], tooltip="Skin tone in the preview.", advanced=True
                ),
                io.Combo.Input("table", options=["plain", "wood", "tiles"], tooltip="Table top in the preview.", advanced=True),
                io.Combo.Input(
                    "bone_order",
                    options=["motion", "appearance"],
                    tooltip="Order in which fingers cover each other in the key-point picture. motion: the thumb on top when it is nearer "
                    "(PAM's video model). appearance: always the little finger (PAM's image model).",
                    advanced=True,
                ),
                io.Boolean.Input("normals", default=False, tooltip="Also draw surface normals into the bundle.", advanced=True),
                io.Boolean.Input(
                    "pictures",
                    default=True,
                    optional=True,
                    tooltip="Off: only the bundle is made, the picture and mask outputs are one black frame. For long clips, "
                    "whose pictures take 4 MB a frame each; Pick HOI Condition then gives those you need.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "renderer",
                    options=RENDERERS,
                    default="auto",
                    optional=True,
                    tooltip="Who draws; all give the same pictures. auto: numba if it is installed, else torch on CUDA, else NumPy. "
                    "pyrender: OpenGL in a process of its own, if pyrender2 is installed.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "dense_objects",
                    options=["exact", "coarse"],
                    default="exact",
                    optional=True,
                    tooltip="How objects of more than 100,000 faces are drawn. exact: as they are. coarse: with at most 50,000 faces, "
                    "about twice as fast; surfaces move by about a thousandth of the object's size.",
                    advanced=True,
                ),
            ],
            outputs=[
                HoiConditions.Output(display_name="conditions", tooltip="Everything drawn, in one compact bundle."),
                io.Image.Output(display_name="depth", tooltip="Inverse depth over the whole clip in inferno colours, near is bright."),
                io.Image.Output(display_name="segmentation", tooltip="One colour each for hands, objects, background (black)."),
                io.Image.Output(display_name="keypoints", tooltip="21 joints and 20 bones of each hand in PAM's drawing."),
                io.Mask.Output(display_name="hand_mask", tooltip="1 where a hand is seen."),
                io.Mask.Output(display_name="object_mask", tooltip="1 where an object is seen."),
                io.Image.Output(display_name="preview", tooltip="Shaded picture with table and shadows; one black frame if switched off."),
            ],
        )

    @classmethod
    def execute(
        cls,
        trajectory,
        camera,
        style: str,
        length: int,
        preview: bool,
        skin: str,
        table: str,
        bone_order: str,
        normals: bool,
        pictures: bool = True,
        renderer: str = "auto",
        dense_objects: str = "exact",
    ) -> io.NodeOutput:
        """Draw the clip."""
        import numpy as np

        from ..conditions.film import film
        from ..conditions.look import SKIN_TONES, Look
        from ..host.progress import reporter
        from ..progress import stage

        _check_memory(trajectory, camera, length, preview, normals, pictures)
        look = Look(skin=SKIN_TONES[skin], pattern=table) if preview else None
        made = ["depth", "segmentation", "keypoints"] if pictures else []
        report, stages = reporter(), 1 + preview + len(made)
        settings = {"normals": normals, "progress": stage(report, 0, stages), "backend": renderer, "look": look}
        settings["coarse"] = dense_objects == "coarse"
        clip, shaded = film(trajectory, camera, length or None, style, bone_order, **settings)
        black = image(np.zeros((1, camera.height, camera.width, 3), np.uint8))
        shown = image(shaded, stage(report, 1, stages)) if preview else black
        del shaded
        images = [image(clip.stored(name), stage(report, i, stages)) for i, name in enumerate(made, start=1 + preview)]
        if not pictures:
            return io.NodeOutput(clip, *[black] * 3, *[black[..., 0]] * 2, shown)
        return io.NodeOutput(clip, *images, *_masks(clip), shown)


class PAMPackConditions(io.ComfyNode):
    """Puts pictures into a condition bundle."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs."""
        return io.Schema(
            node_id="PAMPackConditions",
            display_name="Pack HOI Conditions (PAM)",
            category=CONDITIONS,
            description="Makes a condition bundle of picture clips, or replaces modalities of one: depth from an estimator, masks from "
            "a segmenter, your own drawing.",
            search_aliases=["conditions", "replace depth", "merge", "bundle", "control images"],
            inputs=[
                HoiConditions.Input("conditions", optional=True, tooltip="Bundle to start from; its size, fps and style are kept."),
                io.Image.Input("depth", optional=True, tooltip="Replaces the depth clip. Grey depth (near = bright) is coloured for you."),
                io.Image.Input("segmentation", optional=True, tooltip="Replaces the segmentation clip, in the style's colours."),
                io.Image.Input("keypoints", optional=True, tooltip="Replaces the key-point clip."),
                io.Image.Input("normals", optional=True, tooltip="Replaces the normals clip."),
                io.Image.Input("tracking", optional=True, tooltip="Replaces the 3-D tracking clip."),
                io.Float.Input("fps", default=15.0, min=1.0, max=120.0, step=1.0, tooltip="Frames a second of a new bundle."),
                io.Combo.Input("style", options=STYLES, tooltip=STYLE_TIP),
                io.Mask.Input("hand_mask", optional=True, tooltip="Instead of a segmentation clip: where hands are seen."),
                io.Mask.Input("object_mask", optional=True, tooltip="Instead of a segmentation clip: where objects are seen."),
                io.String.Input(
                    "object",
                    default="",
                    optional=True,
                    tooltip="YCB name or id whose colour the object mask gets, such as mug. Empty: that of the bundle's object, else mug.",
                ),
            ],
            outputs=[HoiConditions.Output(display_name="conditions", tooltip="The bundle with the pictures in it.")],
        )

    @classmethod
    def execute(
        cls, fps: float, style: str, conditions=None, hand_mask=None, object_mask=None, object: str = "", **images
    ) -> io.NodeOutput:
        """Pack what is connected."""
        from ..conditions.pack import mask_pictures, pack_images
        from ..geometry.ycb import ycb_label

        given = {name: frames.cpu().numpy() for name, frames in images.items() if frames is not None}
        if hand_mask is not None or object_mask is not None:
            if "segmentation" in given:
                raise ValueError("Expected a segmentation clip or masks, found both: disconnect one of them.")
            own = conditions.object_labels[:1] if conditions else ()
            label = ycb_label(object or str(*own or (14,)))
            masks = (None if mask is None else array(mask) for mask in (hand_mask, object_mask))
            given["segmentation"] = mask_pictures(*masks, conditions.style if conditions else style, label)
        return io.NodeOutput(pack_images(given, conditions, fps, style))


class PAMUnpackConditions(io.ComfyNode):
    """Takes a condition bundle apart."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs."""
        absent = "black if the bundle has none"
        return io.Schema(
            node_id="PAMUnpackConditions",
            display_name="Unpack HOI Conditions (PAM)",
            category=CONDITIONS,
            description="Gives every part of a condition bundle as plain images, masks and numbers, to look at or to feed other nodes.",
            search_aliases=["conditions", "split", "depth", "segmentation", "keypoints", "fps", "length"],
            inputs=[HoiConditions.Input("conditions", tooltip="The bundle.")],
            outputs=[
                io.Image.Output(display_name="depth", tooltip=f"Depth clip, {absent}."),
                io.Image.Output(display_name="segmentation", tooltip=f"Segmentation clip, {absent}."),
                io.Image.Output(display_name="keypoints", tooltip=f"Key-point clip, {absent}."),
                io.Image.Output(display_name="normals", tooltip=f"Normals clip, {absent}."),
                io.Mask.Output(display_name="hand_mask", tooltip="1 where a hand is seen."),
                io.Mask.Output(display_name="object_mask", tooltip="1 where an object is seen."),
                io.Int.Output(display_name="length", tooltip="Number of frames."),
                io.Int.Output(display_name="width", tooltip="Pixels."),
                io.Int.Output(display_name="height", tooltip="Pixels."),
                io.Float.Output(display_name="fps", tooltip="Frames a second."),
                io.Image.Output(display_name="tracking", tooltip=f"3-D tracking clip, {absent}."),
            ],
        )

    @classmethod
    def execute(cls, conditions) -> io.NodeOutput:
        """Unpack everything."""
        from ..conditions.memory import IMAGE, MASK
        from ..conditions.video import MODALITIES
        from ..host.progress import reporter
        from ..progress import stage

        made = [name for name in MODALITIES if conditions.stored(name) is not None]
        check_bundle(conditions, IMAGE * len(made) + 2 * MASK + 3, ", ".join([*made, "masks"]))
        length, height, width = conditions.shape
        report = reporter()
        steps = [stage(report, i, len(MODALITIES)) for i in range(len(MODALITIES))]
        *clips, tracking = [modality(conditions, name, progress=step) for name, step in zip(MODALITIES, steps, strict=True)]
        return io.NodeOutput(*clips, *_masks(conditions), length, width, height, conditions.fps, tracking)


NODES: list[type] = [PAMRenderConditions, PAMPackConditions, PAMUnpackConditions]
