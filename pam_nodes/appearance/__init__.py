"""Stage II: HOI ControlNet for Flux."""
