"""The step alert."""
