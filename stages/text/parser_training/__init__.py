"""How the bundled caption parser is made: a treebank, a caption grammar, and self-training.

Run `python -m stages.text.parser_training --help`. Nothing here is needed to use the parser.
"""
