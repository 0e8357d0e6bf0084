"""Nodes: generated clips against real ones."""

from comfy_api.latest import io

from ..host import paths
from . import sockets

# The keys of pam_nodes.evaluation.paper.PAPER and of pam_nodes.evaluation.distances.NETWORKS; written out so that the host's start imports
# nothing.
PAPER = ["DexYCB", "OAKINK2"]
NETWORKS = ["LPIPS", "I3D"]
MEASURES = {
    "psnr": "Decibels, mean over the frames; infinite if all are equal.",
    "ssim": "Structural similarity, 1 for equal frames, mean over the frames.",
    "foreground_psnr": "Decibels over the pixels of hand and object. Needs conditions.",
    "lpips": "LPIPS, 0 for equal frames, mean over the frames. Needs the network.",
    "motion_fidelity": "How alike points on hand and object move in both clips, -1 to 1. Needs conditions.",
    "motion_fidelity_exact": "The same against exact motion: tracks, or the optical flow of the conditions.",
    "mpjpe_px": "Distance of the landmarks MediaPipe finds from the joints, pixels. Needs conditions with joints.",
    "pa_mpjpe_px": "The same after the best shift, turn and scale.",
    "mpjpe_mm": "Distance of the estimated joints in space, wrists on each other, millimetres. Needs estimated_hands.",
    "pa_mpjpe_mm": "The same after the best shift, turn and scale.",
}
"""Outputs of *Compare Clips*, NaN where a measure cannot be taken."""


class PAMCompareClips(io.ComfyNode):
    """Measure a generated clip against the real one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMCompareClips",
            display_name="Compare Clips (PAM)",
            category=sockets.MOTION,
            description="Measures a generated clip against the real one: PSNR, SSIM, LPIPS, motion fidelity, joint errors in the picture "
            "and in space. A table with the paper's numbers beside, a plot, and pictures of the differences.",
            search_aliases=["metrics", "psnr", "ssim", "lpips", "mpjpe", "pa-mpjpe", "evaluate", "ground truth", "motion fidelity"],
            inputs=[
                io.Image.Input("images", tooltip="Frames of the generated clip."),
                io.Image.Input("reference", tooltip="Frames of the real clip (ground truth), as many and of the same size."),
                io.Combo.Input("paper", options=PAPER, tooltip="Whose numbers of the paper stand beside, for orientation only."),
                sockets.HoiConditions.Input(
                    "conditions",
                    optional=True,
                    tooltip="The bundle of the real clip: where hand, object and joints are. With optical flow in it, motion is exact.",
                ),
                sockets.MetricNetwork.Input("lpips", optional=True, tooltip="An LPIPS network, from Load Metric Network."),
                sockets.HoiTrajectory.Input(
                    "estimated_hands",
                    optional=True,
                    tooltip="Hands that HaMeR, WiLoR or another estimator found in the generated clip, from Load Recorded Motion with "
                    "up_axis z, so that they keep the camera's axes. For errors in millimetres.",
                ),
                sockets.Tracks.Input(
                    "tracks", optional=True, tooltip="True tracks of points of the real clip, in its pixels, instead of optical flow."
                ),
            ],
            outputs=[
                *(io.Float.Output(name, tooltip=f"{tip} NaN if not measured.") for name, tip in MEASURES.items()),
                io.Float.Output("frame_psnr", is_output_list=True, tooltip="PSNR of each frame."),
                io.String.Output("report", tooltip="Everything as a Markdown table with the paper's numbers beside, and notes."),
                io.Image.Output("plot", tooltip="The measures over the frames."),
                io.Image.Output("difference", tooltip="Difference of each frame: black none, bright 64 of 255 levels and more."),
            ],
        )

    @classmethod
    def execute(
        cls, images, reference, paper, conditions=None, lpips=None, estimated_hands=None, tracks=None
    ) -> io.NodeOutput:
        from ..evaluation.report import Extras, compare_clips
        from ..host.progress import reporter
        from .tensors import array, bytes_of, image

        places = None if tracks is None else (array(tracks["track_path"]), array(tracks["track_visibility"]))
        extras = Extras(conditions, lpips, estimated_hands, places)
        result = compare_clips(bytes_of(images), bytes_of(reference), extras, paper, reporter())
        values = [result.numbers[name] for name in MEASURES]
        pictures = [image(part) for part in (result.plot[None], result.difference)]
        return io.NodeOutput(*values, result.frame_psnr, result.report, *pictures, ui={"text": [result.report]})


class PAMLoadMetricNetwork(io.ComfyNode):
    """A network that a person brings to measure with."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMLoadMetricNetwork",
            display_name="Load Metric Network (PAM)",
            category=sockets.MOTION,
            description="Loads the network of a learned measure from models/metrics: LPIPS for Compare Clips, I3D (FVD) for Fréchet Video "
            "Distance. TorchScript files only. Such a file is a program: take it from people you trust.",
            search_aliases=["lpips", "i3d", "fvd", "torchscript", "perceptual", "backbone"],
            inputs=[
                io.Combo.Input("kind", options=NETWORKS, tooltip="LPIPS takes two pictures, I3D a clip."),
                io.Combo.Input(
                    "network_file",
                    options=paths.model_files("metrics"),
                    tooltip="A TorchScript file in models/metrics. It runs what is in it: take such files from people you trust.",
                ),
            ],
            outputs=[sockets.MetricNetwork.Output("network", tooltip="For Compare Clips (LPIPS) or Fréchet Video Distance (I3D).")],
        )

    @classmethod
    def validate_inputs(cls, network_file: str) -> bool | str:
        try:
            if network_file is not None:
                paths.model_path("metrics", network_file)
        except FileNotFoundError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, network_file: str, **_kwargs) -> str:
        return paths.file_digest(paths.model_path("metrics", network_file))

    @classmethod
    def execute(cls, kind: str, network_file: str) -> io.NodeOutput:
        from ..evaluation.distances import load_network
        from ..host.devices import measuring

        return io.NodeOutput(load_network(kind, paths.model_path("metrics", network_file), measuring()))


class PAMVideoDistance(io.ComfyNode):
    """How far a set of generated clips is from a set of real ones."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMVideoDistance",
            display_name="Fréchet Video Distance (PAM)",
            category=sockets.MOTION,
            description="Compares lists of generated and real clips as distributions: FVD with the I3D network you load, and always a "
            "latent Fréchet distance by the included video codec, which is not FVD.",
            search_aliases=["fvd", "frechet video distance", "i3d", "metrics", "evaluate", "distribution"],
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="A list of generated clips, two or more, such as one for each prompt."),
                io.Image.Input("reference", tooltip="A list of real clips, two or more, of the same length and size."),
                sockets.MetricNetwork.Input("i3d", optional=True, tooltip="I3D from Load Metric Network. Not connected: no FVD."),
            ],
            outputs=[
                io.Float.Output("fvd", tooltip="Fréchet Video Distance, 0 is best; NaN without the network."),
                io.Float.Output("latent_frechet", tooltip="Distance of the latents of the included codec. Not FVD, for your own runs."),
                io.String.Output("report", tooltip="Both, with the number of clips and what to make of it."),
            ],
        )

    @classmethod
    def execute(cls, images, reference, i3d=None) -> io.NodeOutput:
        from ..evaluation.distances import LatentFeatures, VideoFeatures, describe, of_kind, video_distances
        from ..host.devices import measuring
        from ..host.progress import reporter
        from .tensors import bytes_of

        network = of_kind(i3d[0] if i3d else None, VideoFeatures)
        made, real = ([bytes_of(clip) for clip in clips] for clips in (images, reference))
        values = video_distances(made, real, LatentFeatures(measuring()), network, reporter())
        fvd, latent = (float("nan") if values[name] is None else values[name] for name in ("fvd", "latent_frechet"))
        report = describe(values, len(made), len(real))
        return io.NodeOutput(fvd, latent, report, ui={"text": [report]})


NODES: list[type] = [PAMCompareClips, PAMLoadMetricNetwork, PAMVideoDistance]
