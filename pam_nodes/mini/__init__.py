"""The small models shipped with the pack."""
