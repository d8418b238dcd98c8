"""Tells by a table of labels what an encoder's embeddings know of the images."""
