"""Proposals: where raw boxes come from, how they are stored, selected and measured."""
