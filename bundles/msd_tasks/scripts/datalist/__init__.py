"""Writes datalists of the Decathlon's tasks as downloaded, and draws their orientation."""
