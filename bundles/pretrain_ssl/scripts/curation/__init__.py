"""From any archive of CTs to a corpus for pre-training: what `scripts/corpus.py` is made of.

Needs the packages of the extra `corpus` (setup.cfg), which training does not.
"""
