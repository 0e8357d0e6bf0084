"""Nodes: preview."""

NODES: list[type] = []
