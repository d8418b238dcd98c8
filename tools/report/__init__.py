"""Draws the results of trainings: one page about a training, or curves of several runs."""
