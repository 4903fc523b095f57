"""Training of the bundled caption parser: a treebank, a caption grammar, and self-training.

Run `python -m stages.text.parser_training --help`. The parser does not need this package.
"""
