"""Measurements: ours, the peers and the limit, interleaved in one run. See docs/performance.md."""
