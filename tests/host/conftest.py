"""Fixtures of the host tests."""

import json

import numpy as np
import pytest


@pytest.fixture
def probed(host):
    """``probed(result, node_id) -> (arrays, plain)``: what a PamProbe node of a finished prompt received.

    ``arrays`` holds tensors and arrays by dotted path ("value", "value.depth", "value.hands.0.pose.transl"),
    ``plain`` the numbers, strings and None values.
    """

    def read(result, node_id: str):
        path = host.file(result.outputs[node_id]["probe"][0])
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        return arrays, json.loads(str(arrays.pop("__json__")))

    return read
