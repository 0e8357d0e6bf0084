"""Pictures that are painted when somebody looks at them, so that a long clip keeps only what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Painted:
    """A clip of pictures that are not kept.

    Attributes:
        paint: makes the (H, W, 3) uint8 picture of a frame; the same each time.
        frames: which frames, in order.
        height, width: pixels.
    """

    paint: Callable[[int], np.ndarray]
    frames: range
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the array this stands for."""
        return len(self.frames), self.height, self.width, 3

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.paint, self.frames)

    def __getitem__(self, part: slice) -> Painted:
        return replace(self, frames=self.frames[part])

    def whole(self) -> np.ndarray:
        """(T, H, W, 3) uint8: all pictures at once."""
        pictures = np.empty(self.shape, np.uint8)
        for target, picture in zip(pictures, self, strict=True):
            target[...] = picture
        return pictures


Pictures = np.ndarray | Painted
"""(T, H, W, 3) uint8 pictures of a clip, kept or painted anew."""


class Field:
    """A field of a frozen dataclass that may be given as ``Painted`` and is an array for everyone who asks for it.

    The first who asks has everything painted and kept. Who needs the pictures one by one reads ``stored`` instead.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object | None, owner: type | None = None) -> np.ndarray | None:
        if instance is None:
            return None
        value = instance.__dict__[self.name]
        if isinstance(value, Painted):
            value = instance.__dict__[self.name] = value.whole()
        return value

    def __set__(self, instance: object, value: Pictures | None) -> None:
        instance.__dict__[self.name] = value
