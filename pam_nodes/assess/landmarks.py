"""MediaPipe's hand landmark model on a crop that is known beforehand (hands.md, 4).

The model is ``hand_landmark_full.tflite`` of MediaPipe (Zhang et al. 2020, "MediaPipe Hands: on-device real-time hand tracking"), run by
``ai-edge-litert``. MediaPipe finds the crop with a palm detector; the conditions say where the hand must be, so none is needed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

MODEL = Path(__file__).parents[1] / "assets" / "landmarks" / "hand_landmark_full.tflite"
INPUT = 224
"""Side of the model's square input, pixels."""
PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
WRIST, INDEX, MIDDLE, RING = 0, 5, 9, 13
GROWTH, LIFT = 2.0, 0.1
"""MediaPipe's crop from the landmarks of the frame before: twice the box of the palm, moved towards the fingers by a tenth of it."""
MASK_GROWTH = 1.3
MISSING = "Expected the package ai-edge-litert, found none: pip install ai-edge-litert, with the Python that runs ComfyUI."


@dataclass(frozen=True)
class HandCrop:
    """A turned square of a picture.

    Attributes:
        centre: x, y in pixels, (0, 0) is the centre of the top-left pixel.
        size: side, pixels.
        angle: radians, clockwise in the picture, that an upright hand is turned.
    """

    centre: tuple[float, float]
    size: float
    angle: float = 0.0

    @property
    def axes(self) -> np.ndarray:
        """(2, 2) unit vectors of the crop's x and y in the picture, as rows."""
        sine, cosine = np.sin(self.angle), np.cos(self.angle)
        return np.array([[cosine, sine], [-sine, cosine]])


@dataclass(frozen=True, eq=False)
class HandLandmarks:
    """What the model sees in a crop.

    Attributes:
        pixels: (21, 2) float64 in the picture; the order is that of our key points.
        presence: 0..1, that there is a hand.
        right: 0..1, that it is a right hand; unsure where fingers are hidden, so no score counts it.
    """

    pixels: np.ndarray
    presence: float
    right: float


def crop_of_joints(pixels: np.ndarray) -> HandCrop:
    """MediaPipe's crop around (21, 2) joints: upright from the wrist to the knuckles, around the palm and grown."""
    knuckles = ((pixels[INDEX] + pixels[RING]) / 2 + pixels[MIDDLE]) / 2
    right, down = knuckles - pixels[WRIST]
    angle = float(np.arctan2(right, -down))
    axes = HandCrop((0.0, 0.0), 1.0, angle).axes
    across = pixels[list(PALM)] @ axes.T
    low, high = across.min(axis=0), across.max(axis=0)
    width, height = high - low
    centre = ((low + high) / 2 - (0, LIFT * height)) @ axes
    return HandCrop((float(centre[0]), float(centre[1])), GROWTH * float(max(width, height, 1.0)), angle)


def crop_of_mask(mask: np.ndarray) -> HandCrop | None:
    """Upright crop around an (H, W) bool mask, for conditions that have no joints; None if the mask is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    box = np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]])
    centre = box.mean(axis=0)
    return HandCrop((float(centre[0]), float(centre[1])), MASK_GROWTH * float(max(*(box[1] - box[0]), 1)))


def cut_out(picture: np.ndarray, crop: HandCrop) -> np.ndarray:
    """(224, 224, 3) uint8 of a crop of an (H, W, 3) uint8 picture, black outside it; large crops are averaged down first."""
    from PIL import Image

    image = Image.fromarray(picture)
    shrink = max(1, int(crop.size / INPUT))
    if shrink > 1:
        image = image.reduce(shrink)
    step = crop.axes * (crop.size / INPUT / shrink)
    corner = (np.array(crop.centre) + 0.5) / shrink - step.sum(axis=0) * INPUT / 2
    table = (step[0, 0], step[1, 0], corner[0], step[0, 1], step[1, 1], corner[1])
    return np.asarray(image.transform((INPUT, INPUT), Image.Transform.AFFINE, table, Image.Resampling.BILINEAR))


def available() -> bool:
    """Whether the model can run here."""
    return find_spec("ai_edge_litert") is not None


class HandLandmarker:
    """The loaded model.

    Raises:
        RuntimeError: ``ai-edge-litert`` is not installed.
    """

    def __init__(self):
        if not available():
            raise RuntimeError(MISSING)
        from ai_edge_litert.interpreter import Interpreter

        self._model = Interpreter(model_content=MODEL.read_bytes(), num_threads=1)
        self._model.allocate_tensors()
        self._input = self._model.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._model.get_output_details()[:3]]

    def find(self, picture: np.ndarray, crop: HandCrop) -> HandLandmarks:
        """Look for a hand in a crop of an (H, W, 3) uint8 picture."""
        self._model.set_tensor(self._input, cut_out(picture, crop)[None].astype(np.float32) / 255)
        self._model.invoke()
        points, presence, right = (self._model.get_tensor(index).reshape(-1) for index in self._outputs)
        inside = points.reshape(21, 3)[:, :2].astype(np.float64) / INPUT - 0.5
        return HandLandmarks(inside @ crop.axes * crop.size + crop.centre, float(presence[0]), float(right[0]))
