"""Write workflows in the format the browser saves, from a short description in Python."""

from __future__ import annotations

from dataclasses import dataclass, field

from .convert import MUTED, declared, default, has_control, is_widget, options_of
from .layout import settle

COLORS = {"pose": "#3f789e", "conditions": "#8a5a9e", "appearance": "#88A868", "motion": "#b58b3a", "data": "#777777"}


@dataclass
class Node:
    """A placed node; ``node[0]`` is its first output, for linking."""

    data: dict
    outputs: list[tuple[str, str]]

    def __getitem__(self, output: int | str) -> tuple[Node, int]:
        names = [name for name, _ in self.outputs]
        return self, names.index(output) if isinstance(output, str) else output


@dataclass
class Graph:
    """Collects nodes, links and groups; ``object_info`` is the host's own description of its nodes."""

    object_info: dict[str, dict]
    nodes: list[dict] = field(default_factory=list)
    links: list[list] = field(default_factory=list)
    groups: list[dict] = field(default_factory=list)

    def add(self, kind: str, at: tuple[int, int], size: tuple[int, int], title: str | None = None, /, **values) -> Node:
        """Place a node.

        Args:
            kind: node class.
            at, size: pixels; what a node needs beyond its size is added, and what lies below it moves down.
            title: shown instead of the display name.
            values: by input name, a widget's value or ``node[output]`` of another node.
        """
        info = self.object_info[kind]
        inputs = dict(declared(info["input"]))
        unknown = set(values) - set(inputs) - {"control_after_generate"}
        if unknown:
            raise ValueError(f"{kind} has no input {', '.join(sorted(unknown))}")
        data = self._node(kind, at, size, title or info["display_name"])
        for name, spec in inputs.items():
            value = values.get(name)
            if isinstance(value, tuple) or not is_widget(spec):
                self._socket(data, name, spec, value)
            if is_widget(spec):
                options = options_of(spec)
                data["widgets_values"].append(default(spec[0], options) if value is None or isinstance(value, tuple) else value)
                if has_control(name, spec[0], options):
                    data["widgets_values"].append(values.get("control_after_generate", "fixed"))
        for name, output in zip(info["output_name"], info["output"], strict=True):
            data["outputs"].append({"name": name, "type": output, "links": []})
        return Node(data, list(zip(info["output_name"], info["output"], strict=True)))

    def mute(self, node: Node) -> None:
        """Leave a node out of runs until a person switches it on."""
        node.data["mode"] = MUTED

    def note(self, text: str, at: tuple[int, int], size: tuple[int, int]) -> None:
        """Place a Markdown note."""
        data = self._node("MarkdownNote", at, size, "Note")
        data.update(widgets_values=[text], color="#432", bgcolor="#653")

    def group(self, title: str, at: tuple[int, int], size: tuple[int, int], color: str) -> None:
        """Draw a frame; ``color`` is a key of ``COLORS``."""
        bounding = [*at, *size]
        self.groups.append(
            {"id": len(self.groups) + 1, "title": title, "bounding": bounding, "color": COLORS[color], "font_size": 24, "flags": {}}
        )

    def workflow(self) -> dict:
        """The whole as a dict for JSON, every node with the room it needs."""
        settle(self.nodes, self.groups, self.object_info)
        return {
            "last_node_id": len(self.nodes),
            "last_link_id": len(self.links),
            "nodes": self.nodes,
            "links": self.links,
            "groups": self.groups,
            "config": {},
            "extra": {"ds": {"scale": 0.6, "offset": [80, 120]}},
            "version": 0.4,
        }

    def _node(self, kind: str, at: tuple[int, int], size: tuple[int, int], title: str) -> dict:
        number = len(self.nodes)
        data = {
            "id": number + 1,
            "type": kind,
            "pos": list(at),
            "size": list(size),
            "flags": {},
            "order": number,
            "mode": 0,
            "title": title,
        }
        data.update(inputs=[], outputs=[], properties={"Node name for S&R": kind}, widgets_values=[])
        self.nodes.append(data)
        return data

    def _socket(self, data: dict, name: str, spec: list, value: tuple[Node, int] | None) -> None:
        kind = "COMBO" if isinstance(spec[0], list) else spec[0]
        socket = {"name": name, "type": kind, "link": None}
        if is_widget(spec):
            socket["widget"] = {"name": name}
        if value is not None:
            source, output = value
            link = [len(self.links) + 1, source.data["id"], output, data["id"], len(data["inputs"]), source.outputs[output][1]]
            self.links.append(link)
            socket["link"] = link[0]
            source.data["outputs"][output]["links"].append(link[0])
        data["inputs"].append(socket)
