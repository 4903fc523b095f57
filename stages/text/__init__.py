"""Captions to phrases, tokens, prompt templates."""
