"""Rasteriser and the condition pictures of the appearance and motion models."""
