"""Nodes: mini."""

NODES: list[type] = []
