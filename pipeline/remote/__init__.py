"""Artifacts that travel: to and from an object store, or a folder such as one on a shared disk."""
