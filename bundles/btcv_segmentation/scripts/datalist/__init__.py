"""Writes datalists of BTCV and of folders of your own."""
