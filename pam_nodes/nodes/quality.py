"""Nodes: how good a grasp is."""

NODES: list[type] = []
