"""Whether a picture shows hand and object where the segmentation has them, from its colours and its edges.

Nothing is learned beforehand: the labels say where hand, object and background ought to be, and the measures ask whether the picture has
different colours there, and changes where the labels change.
"""

from __future__ import annotations

import numpy as np

BINS = 16
"""Steps of each colour channel in the histograms."""
BLUR = 1.0
"""Standard deviation, in bins, that the histograms are smoothed by."""
BAND = 0.15
"""Width of the background looked at around hand and object, as a share of the picture's shorter side."""
TOLERANCE = 0.008
"""How far an edge may be from its place, as a share of the picture's shorter side."""
ASIDE = 0.03
"""How far beside the outline other edges are looked for, as a share of the picture's shorter side."""


def color_overlap(picture: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Overlap of each label with the pixels that have its colours.

    Every class, background included, gets a colour histogram from where the labels have it; each pixel near hand and object is then given
    to the class that explains its colour best. If the picture shows the object elsewhere, its colours are the background's too.

    Args:
        picture: (H, W, 3) uint8.
        labels: (H, W) integers: 0 background, 1 .. classes - 1.
        classes: how many.

    Returns:
        (classes - 1,) intersection over union of each foreground class, NaN where the labels do not have it.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    overlap = np.full(classes - 1, np.nan)
    if not labels.any():
        return overlap
    reach = max(2, round(BAND * min(labels.shape)))
    window = _window(labels, reach)
    picture, labels = picture[window], labels[window]
    near = distance_transform_edt(labels == 0) <= reach
    index = (picture.astype(np.int64) * BINS // 256) @ (BINS * BINS, BINS, 1)
    densities = np.zeros((classes, BINS**3))
    for label in range(classes):
        where = near & (labels == label)
        counts = np.bincount(index[where], minlength=BINS**3).astype(float).reshape(BINS, BINS, BINS)
        densities[label] = gaussian_filter(counts, BLUR, mode="nearest").ravel() / max(where.sum(), 1)
    looks = np.where(near, densities.argmax(axis=0)[index], 0)
    for label in range(1, classes):
        true, seen = labels == label, looks == label
        if true.any():
            overlap[label - 1] = (true & seen).sum() / (true | seen).sum()
    return overlap


def edge_agreement(picture: np.ndarray, labels: np.ndarray) -> float:
    """How much of the labels' outline lies on edges of the picture: 0 no more than beside it, 1 everywhere.

    Each point of the outline is compared with the places a little to both sides of it: the agreement is how often the picture's edges are
    stronger on the outline. Where fingers or shadows are close there are edges beside it too, so that an exact rendering has about 0.8.

    Args:
        picture: (H, W, 3) uint8.
        labels: (H, W) integers.

    Returns:
        0..1, NaN without an outline.
    """
    from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude, maximum_filter

    side = min(labels.shape)
    reach, aside = max(1, round(TOLERANCE * side)), max(4.0, ASIDE * side)
    line = outline(labels)
    if not line.any():
        return float("nan")
    window = _window(labels, round(aside) + 4 * reach)
    rows, columns = np.nonzero(line[window])
    across = np.stack([gaussian_filter(labels[window].astype(np.float32), 2.0, order)[rows, columns] for order in ((1, 0), (0, 1))])
    across *= aside / np.maximum(np.linalg.norm(across, axis=0), 1e-6)
    channels = np.moveaxis(picture[window], -1, 0).astype(np.float32)
    edges = np.max([gaussian_gradient_magnitude(channel, max(0.7, 0.4 * reach)) for channel in channels], axis=0)
    edges = maximum_filter(edges, 2 * reach + 1)
    beside = np.stack([_at(edges, rows + sign * across[0], columns + sign * across[1]) for sign in (-1, 1)])
    return float(np.clip((_at(edges, rows, columns) > beside).mean() * 2 - 1, 0, 1))


def outline(labels: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels whose label is not that of the left or the upper neighbour."""
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    return edge


def _window(labels: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Box of what is not background, grown by a margin within the picture."""
    rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    return tuple(slice(max(0, ends[0] - margin), ends[-1] + margin + 1) for ends in (rows, columns))


def _at(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Values at rounded places, those outside the picture at its border."""
    height, width = values.shape
    return values[np.rint(rows).astype(int).clip(0, height - 1), np.rint(columns).astype(int).clip(0, width - 1)]
