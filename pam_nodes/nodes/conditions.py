"""Nodes: conditions."""

NODES: list[type] = []
