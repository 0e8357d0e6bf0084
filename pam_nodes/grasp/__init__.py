"""Trajectories, physics rollout and its quality report."""
