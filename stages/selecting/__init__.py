"""Selecting: what people decided and what rules say of pseudo-labels, and what follows."""
