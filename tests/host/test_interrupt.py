"""Cancel reaches every node that draws a long clip, early, and the host goes on."""

import pytest

from .test_condition_nodes import filmed
from .test_modality_nodes import DRAW, node

LENGTH = 400
VIEW = {"trajectory": ["4", 0], "camera": ["5", 0], "length": 0}
SHADED = dict(skin="tan", table="wood", smoothing=2, background_color="#336699", light_azimuth=0.0, light_elevation=50.0)
LONG = {
    "conditions": node("PAMRenderConditions", **filmed()["6"]["inputs"]),
    "flow": node("PAMOpticalFlow", **VIEW, table=True, full_color=0.0),
    "tracking points": node("PAMTrackingVideo", **VIEW, look="points", grid=70, table=True),
    "tracking dense": node("PAMTrackingVideo", **VIEW, look="dense", grid=70, table=True),
    "contact": node("PAMContactMap", **VIEW, distance=0.03),
    "layers": node("PAMAmodalLayers", **VIEW, look="shaded"),
    "preview": node("PAMShadedPreview", **VIEW, **SHADED),
    "key points": node("PAMHandKeypoints", **VIEW, hidden="dim", bone_order="motion", style="openpose", **DRAW | {"smoothing": 2}),
}


@pytest.mark.parametrize("name", LONG)
def test_interrupt_stops_drawing_early(run_prompt, client, name):
    prompt = filmed()
    del prompt["6"]
    prompt["4"]["inputs"]["length"] = LENGTH
    prompt["5"]["inputs"] |= {"width": 240, "height": 160}
    prompt |= {"long": LONG[name], "after": {"class_type": "PamProbe", "inputs": {"value": ["long", 0], "name": "late"}}}
    shares = []

    def cancel(kind, data, result):
        if kind == "progress" and data["node"] == "long":
            shares.append(data["value"] / data["max"])
            client.interrupt(result.prompt_id)

    result = run_prompt(prompt, on_event=cancel, timeout=120)
    assert result.status == "interrupted" and "after" not in result.executed
    assert shares and shares[-1] < 0.5
