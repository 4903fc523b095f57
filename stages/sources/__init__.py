"""Foreign formats in: met once, at ingest, and never seen again."""
