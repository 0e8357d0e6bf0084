"""Nodes: how well pictures and clips keep to their conditions."""

from comfy_api.latest import io, ui

from . import sockets


class PAMScoreHOIFrames(io.ComfyNode):
    """Measure pictures against one frame of the conditions."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMScoreHOIFrames",
            display_name="Score HOI Frames (PAM)",
            category=sockets.APPEARANCE,
            description="Measures how well pictures keep to their conditions: whether a hand is found where it should be, how far its "
            "landmarks are from the joints, whether hand and object have their shape, and the object's colour. Draws it on the pictures.",
            search_aliases=["score", "rank", "hand detector", "mediapipe", "best of", "quality", "filter images", "landmarks"],
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="Pictures of one frame: a batch, or a list such as one for each prompt."),
                sockets.HoiConditions.Input("conditions", tooltip="The bundle they were made with; pictures are stretched to its size."),
                io.Int.Input("frame", default=0, min=-4096, max=4096, tooltip="Which frame they show: 0 is the first, -1 the last."),
                io.String.Input(
                    "object_color",
                    default="",
                    tooltip="Colour the object should have: red, #c62122; empty: not judged. HOI Prompt gives one for each prompt.",
                ),
            ],
            outputs=[
                io.Float.Output("scores", is_output_list=True, tooltip="0 to 1 for each picture, for Pick Frame."),
                io.Image.Output(
                    "annotated",
                    tooltip="Outlines and joints as they should be (blue, yellow, white), landmarks as they are (red; grey: no hand).",
                ),
                io.String.Output("report", tooltip="All measurements, a line for each picture, * marks the best."),
                io.Int.Output("best", tooltip="Index of the best picture."),
            ],
        )

    @classmethod
    def execute(cls, images, conditions, frame, object_color) -> io.NodeOutput:
        from ..assess.ranking import rank_pictures, the_only
        from ..host.progress import reporter
        from .tensors import bytes_of, image

        pictures = [picture for batch in images for picture in bytes_of(batch)]
        bundle, at = the_only(conditions, "condition bundle"), the_only(frame, "frame")
        ranking = rank_pictures(pictures, bundle, at, object_color, reporter())
        return io.NodeOutput(ranking.scores, image(ranking.annotated), ranking.report, ranking.best, ui={"text": [ranking.report]})


class PAMPickFrame(io.ComfyNode):
    """Choose one of several pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMPickFrame",
            display_name="Pick Frame (PAM)",
            category=sockets.APPEARANCE,
            description="Shows all pictures with their numbers and passes one on: the best by score, or the one you choose. Choosing "
            "another only runs what follows again.",
            search_aliases=["choose image", "select from batch", "best image", "image picker", "cherry pick"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="Pictures to choose from: a batch or a list."),
                io.Combo.Input(
                    "pick",
                    options=["best score", "by eye"],
                    tooltip="by eye: the picture numbered index. While index is -1 nothing is passed on: look, then choose.",
                ),
                io.Int.Input("index", default=-1, min=-1, max=4095, tooltip="by eye: number of the picture; -1 waits for your choice."),
                io.Float.Input(
                    "stop_below",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Stop the workflow when the chosen picture's score is lower; 0 never.",
                ),
                io.Float.Input("scores", optional=True, force_input=True, tooltip="From Score HOI Frames; needed for best score."),
                io.Image.Input("annotated", optional=True, tooltip="Shown instead of the pictures, from Score HOI Frames."),
                io.String.Input(
                    "texts", optional=True, force_input=True, tooltip="What belongs to each picture, such as the prompt of its clip."
                ),
                io.Int.Input("seeds", optional=True, force_input=True, tooltip="Seed of each picture, from HOI Prompt."),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The chosen picture."),
                io.Int.Output("index", tooltip="Its number."),
                io.Float.Output("score", tooltip="Its score, 0 without scores."),
                io.String.Output("text", tooltip="The text that belongs to it."),
                io.Int.Output("seed", tooltip="The seed that belongs to it, 0 without seeds."),
            ],
        )

    @classmethod
    def execute(cls, images, pick, index, stop_below, scores=(), annotated=(), texts=(), seeds=()) -> io.NodeOutput:
        from comfy_execution.graph_utils import ExecutionBlocker

        from ..assess.ranking import item_of, pick_frame

        pictures = [picture[None] for batch in images for picture in batch]
        chosen = pick_frame(len(pictures), list(scores), index[0] if pick[0] == "by eye" else None, stop_below[0])
        preview = [file for batch in annotated or images for file in ui.PreviewImage(batch, cls=cls).as_dict()["images"]]
        shown = {"images": preview, "text": [chosen.text]}
        at = chosen.index
        if at is None:
            return io.NodeOutput(*[ExecutionBlocker(None)] * 5, ui=shown)
        text, seed = item_of(texts, at, len(pictures), ""), item_of(seeds, at, len(pictures), 0)
        return io.NodeOutput(pictures[at], at, chosen.score, text, seed, ui=shown)


class PAMHOIConsistency(io.ComfyNode):
    """Measure a clip against its conditions, and stop the graph when it is not good enough."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMHOIConsistency",
            display_name="HOI Consistency (PAM)",
            category=sockets.MOTION,
            description="Measures a clip frame by frame against its conditions: hands found, landmarks off their joints, shapes in place, "
            "flicker of the background, drift of the object from its exact motion. Can stop the workflow when the score is too low.",
            search_aliases=["check video", "metrics", "flicker", "drift", "landmarks", "mediapipe", "motion fidelity", "filter clips"],
            inputs=[
                io.Image.Input("images", tooltip="Frames of the clip, as many as the conditions have."),
                sockets.HoiConditions.Input(
                    "conditions", tooltip="The bundle the clip was made with. With optical flow in it, the object's motion is judged too."
                ),
                io.Float.Input(
                    "min_hands", default=0.5, min=0.0, max=1.0, step=0.05, tooltip="Share of the frames in which hands are found; 0: any."
                ),
                io.Float.Input(
                    "max_error", default=0.2, min=0.0, max=2.0, step=0.01, tooltip="Mean error of landmarks, share of the hand; 0: any."
                ),
                io.Float.Input(
                    "min_shape",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Mean overlap of hand and object with the pixels that have their colours; 0: any.",
                ),
                io.Float.Input(
                    "max_flicker",
                    default=6.0,
                    min=0.0,
                    max=255.0,
                    step=0.5,
                    tooltip="Mean change of the background between frames, of 255 levels; 0: any. Moving cameras need flow with the table.",
                ),
                io.Float.Input(
                    "max_drift",
                    default=0.2,
                    min=0.0,
                    max=5.0,
                    step=0.01,
                    tooltip="How far the object may come from its motion, share of its size; 0: any.",
                ),
                sockets.stop_input(),
                io.Boolean.Input(
                    "annotate",
                    default=True,
                    advanced=True,
                    tooltip="Draw on every frame, not on the first alone; off saves memory, 4 MB a frame at 720 x 480.",
                ),
            ],
            outputs=[
                io.Image.Output("images", tooltip="The same frames, for what comes next."),
                *sockets.verdict_outputs(),
                io.Image.Output("plot", tooltip="Every measurement over time, limits red."),
                io.Image.Output("annotated", tooltip="The frames with outlines, joints and landmarks drawn on them."),
                io.Float.Output(
                    "frame_scores", is_output_list=True, tooltip="Score of each frame by itself, as Score HOI Frames gives it."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, images, conditions, min_hands, max_error, min_shape, max_flicker, max_drift, stop_below, annotate=True
    ) -> io.NodeOutput:
        from ..assess.annotate import annotate_all
        from ..assess.consistency import ClipDemands, judge_clip, measure_clip, plot_clip
        from ..host.progress import reporter
        from .tensors import bytes_of, image

        demands = ClipDemands(min_hands, max_error, min_shape, max_flicker, max_drift)
        quality = measure_clip(bytes_of(images), conditions, reporter())
        verdict = judge_clip(quality, demands)
        verdict.demand("HOI Consistency", stop_below)
        scores = [score.score for score in quality.scores]
        shown = slice(None if annotate else 1)
        drawn = annotate_all(quality.pictures[shown], quality.frames[shown], quality.scores[shown])
        plot, passed = plot_clip(quality, demands)[None], not verdict.failed
        return io.NodeOutput(images, verdict.score, passed, verdict.text, image(plot), image(drawn), scores, ui={"text": [verdict.text]})


NODES: list[type] = [PAMScoreHOIFrames, PAMPickFrame, PAMHOIConsistency]
