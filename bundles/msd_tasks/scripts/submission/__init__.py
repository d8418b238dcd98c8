"""Segments the test images of tasks and packs the archive that the Decathlon's challenge takes."""
