"""Nodes: motion."""

NODES: list[type] = []
