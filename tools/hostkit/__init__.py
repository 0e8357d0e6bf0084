"""Host kit: gets a ComfyUI, starts it with the pack and queues prompts. ``setup`` and ``host`` need the standard library only."""
