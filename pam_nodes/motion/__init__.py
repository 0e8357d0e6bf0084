"""Stage III: HOI control for CogVideoX."""
