"""Holds what the configs need and JSON cannot say."""
