"""The published mathematics, item by item (docs/parity.md)."""
