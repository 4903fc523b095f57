"""Synthetic data: rendered images with captions and exact boxes, any number from a seed."""
