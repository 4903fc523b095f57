"""What is done to the data: verbs, networks, losses. Knows no files of the store, no ranks."""
