"""A workflow as the browser saves it, turned into the prompt the server takes: what the page's "Queue" does, without a page.

Covers what flat workflows use: links, widget values by position, values that sit on a linked input, frontend-only widgets and nodes
(notes, reroutes, primitives), muted and bypassed nodes, dynamic combos. Compared with the real frontend in tests/browser.
"""

from collections.abc import Iterator

ALWAYS, MUTED, BYPASSED = 0, 2, 4
NOTES = {"Note", "MarkdownNote"}
SIMPLE_WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR"}
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"


class Unconvertible(ValueError):
    """The workflow holds something the converter does not know."""


def convert(workflow: dict, object_info: dict[str, dict]) -> dict[str, dict]:
    """Return the API prompt of a UI-format workflow.

    Args:
        workflow: parsed JSON with "nodes" and "links".
        object_info: the host's /object_info.

    Raises:
        Unconvertible: subgraphs, a node class the host does not have, or one whose values only the page can make.
    """
    if workflow.get("definitions", {}).get("subgraphs"):
        raise Unconvertible("The workflow has subgraphs: unpack them first (right click, Unpack Subgraph).")
    nodes = {node["id"]: node for node in workflow["nodes"]}
    links = {link[0]: link for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        if node.get("mode", ALWAYS) in (MUTED, BYPASSED) or node["type"] in NOTES | {"Reroute", "PrimitiveNode"}:
            continue
        if node["type"] not in object_info:
            raise Unconvertible(f"The host has no node {node['type']} (node {node['id']}).")
        info = object_info[node["type"]]
        inputs = widget_inputs(node, info)
        for socket in node.get("inputs", []):
            if socket.get("link") is None:
                continue
            inputs.pop(socket["name"], None)
            source = resolve(links[socket["link"]], nodes, links)
            if source is not None:
                inputs[socket["name"]] = source
        prompt[str(node["id"])] = {
            "class_type": node["type"],
            "inputs": inputs,
            "_meta": {"title": node.get("title") or info["display_name"] or node["type"]},
        }
    return prompt


def resolve(link: list, nodes: dict, links: dict) -> list | object | None:
    """Follow a link back to a node that runs.

    Returns: [node id, slot], the value of a primitive node, or None when the source is muted or leads nowhere.
    """
    _, origin, slot, _, _, kind = link[:6]
    node = nodes[origin]
    mode = node.get("mode", ALWAYS)
    if mode == MUTED:
        return None
    if node["type"] == "PrimitiveNode":
        return node["widgets_values"][0]
    if node["type"] == "Reroute":
        feed = node["inputs"][0].get("link")
    elif mode == BYPASSED:
        feed = bypass(node, slot, kind)
    else:
        return [str(origin), slot]
    return None if feed is None else resolve(links[feed], nodes, links)


def bypass(node: dict, slot: int, kind: str) -> int | None:
    """Link that stands in for output ``slot`` of a bypassed node: its input at that position if the type fits, else the first that fits."""
    inputs = node.get("inputs", [])
    order = [*inputs[slot : slot + 1], *inputs]
    return next((socket.get("link") for socket in order if socket["type"] == kind), None)


def widget_inputs(node: dict, info: dict) -> dict[str, object]:
    """Values of the node's widgets by input name; they are saved as a list, in the order of the widgets."""
    saved = node.get("widgets_values") or []
    if isinstance(saved, dict):
        return {name: saved[name] for name, _ in declared(info["input"]) if name in saved}
    on_widget = {socket["name"] for socket in node.get("inputs", []) if socket.get("widget")}
    values, inputs = iter(saved), {}
    for name, spec in declared(info["input"]):
        take(name, spec, values, inputs, on_widget)
    return inputs


def declared(groups: dict) -> Iterator[tuple[str, list]]:
    """(name, spec) of the required, then the optional inputs."""
    for group in ("required", "optional"):
        yield from groups.get(group, {}).items()


def options_of(spec: list) -> dict:
    """What an input's description says beside its type."""
    return spec[1] if len(spec) > 1 else {}


def is_widget(spec: list) -> bool:
    """True if the page shows the input as a value to edit; dynamic combos, which grow inputs of their own, are not counted."""
    return not options_of(spec).get("forceInput") and (isinstance(spec[0], list) or spec[0] in SIMPLE_WIDGETS)


def take(name: str, spec: list, values: Iterator, inputs: dict, on_widget: set[str]) -> None:
    """Take the saved value of one input off ``values``, and of the frontend-only widget behind it."""
    options = options_of(spec)
    kind = options.get("widgetType", spec[0])
    if kind == "LOAD_3D":
        raise Unconvertible("Load 3D draws its pictures in the page, so only the page can queue it.")
    if options.get("forceInput") or not (isinstance(kind, list) or kind in SIMPLE_WIDGETS or kind == DYNAMIC_COMBO or name in on_widget):
        return
    value = next(values, default(kind, options))
    if value is None:
        return
    inputs[name] = {"__value__": value} if isinstance(value, list) else value
    if kind == DYNAMIC_COMBO:
        chosen = next((option for option in options["options"] if option["key"] == value), {"inputs": {}})
        for inner, inner_spec in declared(chosen["inputs"]):
            take(f"{name}.{inner}", inner_spec, values, inputs, on_widget)
    elif has_control(name, kind, options) or any(options.get(f"{what}_upload") for what in ("image", "video", "audio", "animated_image")):
        next(values, None)


def default(kind: object, options: dict) -> object:
    """What a new widget shows: for files saved before the node got this input."""
    choices = (kind if isinstance(kind, list) else options.get("options")) or [None]
    first = choices[0]["key"] if kind == DYNAMIC_COMBO else choices[0]
    return options.get("default", first)


def has_control(name: str, kind: object, options: dict) -> bool:
    """True if the frontend adds its "control after generate" widget behind this one."""
    asked = options.get("control_after_generate")
    return bool(asked) or (asked is None and kind == "INT" and name in ("seed", "noise_seed"))
