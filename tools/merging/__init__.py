"""Tells on small trainings how the two patch mergings differ."""
