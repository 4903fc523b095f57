"""Labelling: comparing region features with concept embeddings."""
