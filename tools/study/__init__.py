"""Runs studies of many trainings that differ in one thing, and draws their figures."""
