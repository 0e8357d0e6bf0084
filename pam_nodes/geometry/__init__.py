"""Rotations, cameras and meshes. Imports nothing else of the project."""
