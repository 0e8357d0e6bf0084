"""Nodes: recorded motion in and out."""

NODES: list[type] = []
