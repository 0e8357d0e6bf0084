"""Nodes: grasp."""

NODES: list[type] = []
