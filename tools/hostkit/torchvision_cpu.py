"""Lets a CUDA-built torchvision be imported beside a CPU-only torch. Loaded at start of the pinned host's Python through a .pth file.

The compiled part of such a torchvision cannot load, and ``import torchvision`` then stops at the operators it would have declared.
Declaring their schemas first is enough; the compiled operators themselves (nms, roi_align ...) stay unavailable.
"""

import sys
from importlib.abc import MetaPathFinder

libraries = []  # torch drops the declarations of a library that is garbage collected


class DeclareOperators(MetaPathFinder):
    """Finds nothing; declares the operators when torchvision is first looked for."""

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            if torch.version.cuda is None:
                library = torch.library.Library("torchvision", "FRAGMENT")
                for operator in ("nms", "qnms"):
                    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
                libraries.append(library)
        return None


sys.meta_path.insert(0, DeclareOperators())
