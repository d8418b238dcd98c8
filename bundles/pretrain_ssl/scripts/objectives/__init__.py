"""Holds the pre-training objectives: one module or folder and one overlay each."""
