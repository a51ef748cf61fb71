"""Benchmarks: what sulh costs beside the bare libraries, as ratios measured side by side in one run."""
