"""Draws what came out of trainings: one page about a training, or curves of several runs."""
