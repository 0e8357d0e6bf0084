"""Nodes: editing motion."""

NODES: list[type] = []
