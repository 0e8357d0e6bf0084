"""Recorded motion in and out: data sets, estimators and the pack's own files."""
