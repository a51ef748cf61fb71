"""The demo: sample outlets on loopback."""
