"""Hand model files, skinning, joints, poses and presets."""
