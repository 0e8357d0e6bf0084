"""Labelled scenes made by the project itself."""
