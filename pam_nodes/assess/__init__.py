"""How well generated pictures and clips keep to their conditions, and the usual metrics."""
