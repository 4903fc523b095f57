"""Auditing: how right labels are, with an interval, from a random sample that people judge."""
