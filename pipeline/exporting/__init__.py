"""Exports: weights, features, detections and pseudo-labels in formats of other programs."""
