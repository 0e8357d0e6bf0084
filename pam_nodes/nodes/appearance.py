"""Nodes: appearance."""

NODES: list[type] = []
