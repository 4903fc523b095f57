"""Suspicion: signals that a pseudo-label is at fault, from what needs no ground truth."""
