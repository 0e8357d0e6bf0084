"""Nodes: camera."""

NODES: list[type] = []
