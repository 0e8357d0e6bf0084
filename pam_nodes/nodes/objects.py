"""Nodes: objects."""

NODES: list[type] = []
