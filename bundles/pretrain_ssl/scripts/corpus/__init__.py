"""Prepares a corpus for pre-training from any archive of CTs.

Needs the packages of the extra `corpus`.
"""
