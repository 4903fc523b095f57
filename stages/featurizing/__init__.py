"""Featurizing: features of regions from images, to be stored, or to be labelled at once."""
