"""Recipes: chains of stages in TOML, the data they need, and the tables made of them."""
