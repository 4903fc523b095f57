"""What the program withstands, tried: see `python -m benchmarks.reliability --help`."""
