"""The store: artifacts on disk, how they are committed, found, read and checked."""
