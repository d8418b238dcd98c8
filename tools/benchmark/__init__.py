"""Measures how fast the bundles are, on this machine, against the reference."""
