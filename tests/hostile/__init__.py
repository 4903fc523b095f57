"""Hostile files for every reader, and what the commands make of them."""
