"""Nodes of the motion stage that say what clip is made and how: first frame, sampling, long clips."""

from comfy_api.latest import io

from . import sockets

WIDTH_TIP = "Video width in pixels; 720 for CogVideoX-5b, 288 for mini."
HEIGHT_TIP = "Video height in pixels; 480 for CogVideoX-5b, 192 for mini."
FIT_TIP = "How a picture of another shape is brought to the video's. stretch: as PAM does; crop: its middle; pad: black bars."
SHAPES = ["preset", "released", "constant", "ramp"]


class PAMCogVideoXFirstFrame(io.ComfyNode):
    """Start a CogVideoX clip from a picture."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMCogVideoXFirstFrame",
            display_name="CogVideoX First Frame (PAM)",
            category=sockets.MOTION,
            description="Gives CogVideoX its first frame and an empty latent of the right size. Any picture will do: the appearance "
            "stage's, a photo, another model's.",
            search_aliases=["image to video", "i2v", "start image", "empty video latent", "cogvideox"],
            inputs=[
                io.Conditioning.Input("positive", tooltip="Prompt conditioning from CLIP Text Encode."),
                io.Conditioning.Input("negative", tooltip="Negative conditioning."),
                io.Vae.Input("vae", tooltip="CogVideoX's VAE."),
                io.Image.Input("start_image", optional=True, tooltip="First frame, brought to the video's size. None: text to video."),
                io.Int.Input("width", default=720, min=16, max=4096, step=16, tooltip=WIDTH_TIP),
                io.Int.Input("height", default=480, min=16, max=4096, step=16, tooltip=HEIGHT_TIP),
                io.Int.Input(
                    "length",
                    default=49,
                    min=1,
                    max=1025,
                    step=4,
                    tooltip="Frames: 8k + 1 (17, 25, 33, 41, 49). 49 for CogVideoX-5b, 17 for mini, which takes 4k + 1 as well.",
                ),
                io.Combo.Input("fit", options=["stretch", "crop", "pad"], default="stretch", optional=True, tooltip=FIT_TIP),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="If connected, size and length are checked against it before anything is computed. CogVideoX 1.5 needs it.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive", tooltip="Prompt with the first frame attached."),
                io.Conditioning.Output(display_name="negative", tooltip="Negative prompt with the first frame attached."),
                io.Latent.Output(display_name="LATENT", tooltip="Empty video latent for the sampler."),
                io.Int.Output(
                    display_name="trim_latent", tooltip="For Trim Video Latent before decoding: 0, but 1 for most lengths of CogVideoX 1.5."
                ),
            ],
        )

    @classmethod
    def execute(cls, positive, negative, vae, width, height, length, fit="stretch", start_image=None, model=None) -> io.NodeOutput:
        from ..host.cogvideox_start import start_from_image

        return io.NodeOutput(*start_from_image(positive, negative, vae, start_image, width, height, length, fit, model))


class PAMCogVideoXContinue(io.ComfyNode):
    """Go on with a clip from its last frame."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMCogVideoXContinue",
            display_name="CogVideoX Continue Clip (PAM)",
            category=sockets.MOTION,
            description="Starts the next chunk of a long clip from the last frame made so far, with its own part of the conditions. "
            " Join the chunks with Join Clips.",
            search_aliases=["extend video", "continuation", "last frame", "chunk", "long video"],
            inputs=[
                io.Conditioning.Input("positive", tooltip="Prompt conditioning; another prompt for every chunk is possible."),
                io.Conditioning.Input("negative", tooltip="Negative conditioning."),
                io.Vae.Input("vae", tooltip="CogVideoX's VAE."),
                io.Image.Input("images", tooltip="All frames made so far, from VAE Decode or Join Clips; the last one is gone on from."),
                sockets.HoiConditions.Input("conditions", tooltip="Conditions of the whole clip, from its first frame on."),
                io.Int.Input(
                    "length", default=49, min=5, max=1025, step=4, tooltip="Frames of this chunk, the shared one included; less at the end."
                ),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive", tooltip="Prompt with the last frame attached."),
                io.Conditioning.Output(display_name="negative", tooltip="Negative prompt with the last frame attached."),
                io.Latent.Output(display_name="LATENT", tooltip="Empty latent of the chunk."),
                sockets.HoiConditions.Output(display_name="conditions", tooltip="For Apply HOI Control CogVideoX: the chunk's own part."),
                io.Int.Output(display_name="left", tooltip="Frames of the whole clip that are left after this chunk."),
            ],
        )

    @classmethod
    def execute(cls, positive, negative, vae, images, conditions, length) -> io.NodeOutput:
        from ..host.cogvideox_start import continue_clip

        return io.NodeOutput(*continue_clip(positive, negative, vae, images, conditions, length))


class PAMJoinClips(io.ComfyNode):
    """Chunks of a clip to one clip."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMJoinClips",
            display_name="Join Clips (PAM)",
            category=sockets.MOTION,
            description="Puts the next chunk behind the frames made so far. The frame both share is kept once; colours that drifted from "
            "chunk to chunk are brought back by what changed in that frame.",
            search_aliases=["concatenate video", "append frames", "chunk", "colour drift"],
            inputs=[
                io.Image.Input("images", tooltip="Frames made so far."),
                io.Image.Input("next_images", tooltip="The next chunk; its first frame shows what the last one of images shows."),
                io.Float.Input(
                    "match_colours",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the shift in brightness and contrast between the shared frames is taken back.",
                ),
            ],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="The joined clip, one frame shorter than both together.")],
        )

    @classmethod
    def execute(cls, images, next_images, match_colours) -> io.NodeOutput:
        from ..motion.continuation import joined

        return io.NodeOutput(joined(images, next_images, match_colours))


class PAMCogVideoXLongVideo(io.ComfyNode):
    """Longer clips than CogVideoX was trained on, in overlapping windows."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="PAMCogVideoXLongVideo",
            display_name="CogVideoX Long Video (PAM)",
            category=sockets.MOTION,
            description="Makes clips of 97 or 193 frames in overlapping windows of 49, all at once, by core's context windows with the "
            "settings CogVideoX needs. The control follows each window by itself.",
            search_aliases=["context windows", "sliding window", "97 frames", "193 frames", "extend"],
            inputs=[
                io.Model.Input("model", tooltip="CogVideoX, with its HOI control or before it."),
                io.Int.Input(
                    "window", default=49, min=5, max=1025, step=4, tooltip="Frames of a window: 49 for CogVideoX-5b, 17 for mini."
                ),
                io.Int.Input("overlap", default=24, min=0, max=1024, step=4, tooltip="Frames that neighbouring windows share."),
                io.Combo.Input(
                    "fuse", options=["overlap-linear", "pyramid", "relative", "flat"], default="overlap-linear", tooltip="How windows mix."
                ),
                io.Boolean.Input(
                    "keep_first_frame",
                    default=True,
                    tooltip="Show every window the start image, so that colours and object stay; off lets later windows drift from it.",
                ),
                io.Boolean.Input("freenoise", default=True, tooltip="Windows share their noise (FreeNoise), which hides the seams."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="For Apply HOI Control CogVideoX or a sampler.")],
        )

    @classmethod
    def execute(cls, model, window, overlap, fuse, keep_first_frame, freenoise) -> io.NodeOutput:
        from ..host.long_video import in_windows

        return io.NodeOutput(in_windows(model, window, overlap, fuse, keep_first_frame, freenoise))


class PAMCogVideoXSampling(io.ComfyNode):
    """How PAM samples CogVideoX."""

    @classmethod
    def define_schema(cls):
        from ..motion.schedule import PRESETS

        return io.Schema(
            node_id="PAMCogVideoXSampling",
            display_name="CogVideoX Sampling (PAM)",
            category=sockets.MOTION,
            description="Guider, sampler and steps for Sampler Custom Advanced. quality is PAM's released sampling: 50 trailing steps, "
            "stochastic DPM++, moving guidance. balanced reuses steps that change little, fast takes 20.",
            search_aliases=["dpm", "trailing", "dynamic cfg", "scheduler", "sigmas", "guider", "easycache"],
            inputs=[
                io.Model.Input("model", tooltip="The guided model, from Apply HOI Control CogVideoX."),
                io.Conditioning.Input("positive", tooltip="From CogVideoX First Frame."),
                io.Conditioning.Input("negative", tooltip="From CogVideoX First Frame."),
                io.Combo.Input("preset", options=list(PRESETS), tooltip="quality: as released; balanced: reuses steps; fast: 20 steps."),
                io.Float.Input("cfg", default=6.0, min=0.0, max=30.0, step=0.1, tooltip="Guidance scale. PAM: 6; mini: 1."),
                io.Int.Input(
                    "steps", default=0, min=0, max=1000, optional=True, advanced=True, tooltip="Number of steps; 0: the preset's."
                ),
                io.Combo.Input(
                    "guidance",
                    options=SHAPES,
                    default="preset",
                    optional=True,
                    advanced=True,
                    tooltip="released: jumps from step to step between 1 and 1 + cfg, as CogVideoX's pipelines do. ramp: grows from 1 to "
                    "1 + cfg, which that formula was meant to do. constant: cfg.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Below 1 a given video is changed in part.",
                ),
            ],
            outputs=[
                io.Guider.Output(display_name="GUIDER", tooltip="For Sampler Custom Advanced."),
                io.Sampler.Output(display_name="SAMPLER", tooltip="For Sampler Custom Advanced; any other sampler fits too."),
                io.Sigmas.Output(display_name="SIGMAS", tooltip="For Sampler Custom Advanced; other schedulers fit too."),
            ],
        )

    @classmethod
    def execute(cls, model, positive, negative, preset, cfg, steps=0, guidance="preset", denoise=1.0) -> io.NodeOutput:
        from ..host.cogvideox_sampling import sampling

        return io.NodeOutput(*sampling(model, positive, negative, preset, steps, cfg, guidance, denoise))


NODES = [PAMCogVideoXFirstFrame, PAMCogVideoXContinue, PAMJoinClips, PAMCogVideoXLongVideo, PAMCogVideoXSampling]
