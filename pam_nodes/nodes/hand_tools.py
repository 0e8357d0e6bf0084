"""Nodes: hand poses taken apart and checked."""

NODES: list[type] = []
