"""Room for every node: what the page draws of a node may be taller than the size it is saved with."""

from __future__ import annotations

from .convert import declared, has_control, is_widget, options_of

TITLE, GAP, PADDING = 30, 20, 20


def height(info: dict) -> int:
    """Pixels a node takes below its title, on the canvas or as an element (Nodes 2.0), whichever is more. As measured in the page."""
    inputs = list(declared(info["input"]))
    widgets = [(name, spec[0], options_of(spec)) for name, spec in inputs if is_widget(spec)]
    sockets = max(len(inputs) - len(widgets), len(info["output"]))
    classic, element = 20 * sockets + 14, 20 * sockets + 62  # an element has a badge and a footer
    for name, kind, options in widgets:
        rows, text = 1 + has_control(name, kind, options), options.get("multiline")
        classic += 54 if text else 24 * rows
        if not options.get("advanced"):
            element += 68 if text else 28 * rows
    return max(classic, element)


def settle(nodes: list[dict], groups: list[dict], object_info: dict[str, dict]) -> None:
    """Grow nodes to what they need, move those below them in a group down and grow the group; groups side by side end at one height."""
    for node in nodes:
        if node["type"] in object_info:
            node["size"][1] = max(node["size"][1], height(object_info[node["type"]]))
    boxes = [group["bounding"] for group in groups]
    for box in boxes:
        inside = sorted((node for node in nodes if holds(box, node["pos"])), key=lambda node: node["pos"][1])
        for place, node in enumerate(inside):
            for above in inside[:place]:
                if beside(above["pos"][0], above["size"][0], node["pos"][0], node["size"][0]):
                    node["pos"][1] = max(node["pos"][1], above["pos"][1] + above["size"][1] + GAP + TITLE)
        box[3] = max(box[3], *(node["pos"][1] + node["size"][1] + PADDING - box[1] for node in inside))
    lowest = [box for box in boxes if not any(other[1] > box[1] and beside(box[0], box[2], other[0], other[2]) for other in boxes)]
    for box in lowest:
        box[3] = max(other[1] + other[3] for other in lowest) - box[1]


def beside(x: int, wide: int, other_x: int, other_wide: int) -> bool:
    """True if two boxes share a part of their width."""
    return x < other_x + other_wide and other_x < x + wide


def holds(box: list[int], spot: list[int]) -> bool:
    """True if a place is in a box."""
    x, y, wide, tall = box
    return x <= spot[0] < x + wide and y <= spot[1] < y + tall
