"""Which public CTs to get from Imaging Data Commons: what `corpus.py select` is made of."""
