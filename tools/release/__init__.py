"""Builds a release of the bundles as zips, and verifies any bundle; see commands.py."""
