"""The stages without ComfyUI: diffusers' pipelines with the same control modules, files in and out, resumable."""
