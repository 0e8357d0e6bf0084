"""The commands: words to frozen options, then one call."""
