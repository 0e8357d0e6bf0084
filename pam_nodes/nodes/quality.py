"""Nodes: how good a grasp is."""

from __future__ import annotations

from comfy_api.latest import io

from . import sockets
from .trajectory import trajectory_input


class PAMGraspQuality(io.ComfyNode):
    """Judge a motion, and stop the graph when it is not good enough."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMGraspQuality",
            display_name="Grasp Quality (PAM)",
            category=sockets.POSE,
            description="Measures a motion on skin and meshes: penetration, contact, slip, speed, height over the table, and joints beyond "
            "what a hand can do. Can stop the workflow when the score is too low.",
            search_aliases=["penetration", "contact", "metrics", "filter", "check grasp", "score"],
            inputs=[
                trajectory_input(),
                io.Float.Input(
                    "max_penetration", default=10.0, min=0.0, max=100.0, step=0.5, tooltip="Millimetres of skin in the object; 0: any."
                ),
                io.Float.Input("max_slip", default=30.0, min=0.0, max=500.0, step=1.0, tooltip="Millimetres a held object slips; 0: any."),
                io.Float.Input("max_speed", default=3.0, min=0.0, max=20.0, step=0.1, tooltip="Metres a second of the wrist; 0: any."),
                io.Float.Input(
                    "max_below_table", default=20.0, min=0.0, max=500.0, step=1.0, tooltip="Millimetres a hand is under the table; 0: any."
                ),
                io.Int.Input("min_contact_links", default=0, min=0, max=16, tooltip="Links of the hand that touch at the end."),
                io.Boolean.Input("need_success", default=True, tooltip="The grasp must have succeeded, or the object risen by 10 cm."),
                io.Boolean.Input("need_joint_limits", default=False, tooltip="No joint may go further than a hand can."),
                sockets.stop_input(),
            ],
            outputs=[
                sockets.HoiTrajectory.Output("trajectory", tooltip="The same motion, for what comes next."),
                *sockets.verdict_outputs(),
                io.Image.Output("plot", tooltip="Penetration, contacts, speed and height over time."),
            ],
        )

    @classmethod
    def execute(
        cls,
        trajectory,
        max_penetration,
        max_slip,
        max_speed,
        max_below_table,
        min_contact_links,
        need_success,
        need_joint_limits,
        stop_below,
    ) -> io.NodeOutput:
        from ..grasp.measure import measure
        from ..grasp.verdict import Demands, judge, plot
        from .tensors import image

        demands = Demands(
            max_penetration / 1000, max_below_table / 1000, max_speed, max_slip / 1000, min_contact_links, need_success, need_joint_limits
        )
        quality = measure(trajectory)
        verdict = judge(quality, demands)
        verdict.demand("Grasp Quality", stop_below)
        picture = image(plot(quality)[None])
        return io.NodeOutput(trajectory, verdict.score, not verdict.failed, verdict.text, picture, ui={"text": [verdict.text]})


NODES: list[type] = [PAMGraspQuality]
