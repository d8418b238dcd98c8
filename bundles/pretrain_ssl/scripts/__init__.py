"""Provides the Python code that the configs name."""
