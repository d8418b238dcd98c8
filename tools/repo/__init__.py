"""Keeps the repository in order: the layout of its JSON files."""
