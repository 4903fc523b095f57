"""What annotators gave back of exported pseudo-labels: read from their programs, and compared."""
