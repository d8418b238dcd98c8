"""A corpus of CTs from public archives: which series to get, and files ready for training."""
