"""Prompts with seeded variety."""
