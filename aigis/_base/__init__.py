"""The lowest layer: errors, names, messages and settings that every other layer may import."""
