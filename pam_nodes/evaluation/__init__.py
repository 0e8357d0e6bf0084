"""How near generated clips come to real ones."""
