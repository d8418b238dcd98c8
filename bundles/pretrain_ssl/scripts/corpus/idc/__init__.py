"""Selects public CTs of Imaging Data Commons."""
