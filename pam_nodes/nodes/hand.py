"""Nodes: hand."""

NODES: list[type] = []
