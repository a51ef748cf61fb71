"""sulh watches news on infighting among jihadists and alerts, with caution, when a reconciliation is reported."""

__version__ = "0.1.0"
