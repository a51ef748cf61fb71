"""The step compare."""
