"""Node: the trajectory as an animated 3D file."""

from __future__ import annotations

from io import BytesIO

from comfy_api.latest import Types, io

from . import sockets


class PAMPreviewMotion3D(io.ComfyNode):
    """Turn a trajectory into an animated GLB."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMPreviewMotion3D",
            display_name="Preview Motion 3D (PAM)",
            category=sockets.POSE,
            description="Turns a trajectory into an animated GLB with skinned hands, objects, the table and the paths. "
            "Connect it to Preview 3D & Animation to play it, or to Save GLB to keep it.",
            search_aliases=["glb", "gltf", "3d preview", "animation", "play trajectory"],
            inputs=[sockets.HoiTrajectory.Input("trajectory", tooltip="Hands and objects over time, from Grasp Rollout.")],
            outputs=[io.File3DGLB.Output(display_name="GLB", tooltip="Animated GLB, Y up, metres, one clip. Plays in Preview 3D & Animation.")],
        )

    @classmethod
    def execute(cls, trajectory) -> io.NodeOutput:
        from ..grasp.export_glb import trajectory_to_glb

        return io.NodeOutput(Types.File3D(BytesIO(trajectory_to_glb(trajectory)), file_format="glb"))


NODES: list[type] = [PAMPreviewMotion3D]
