"""Judging what was made: what-if, diff, compare, report; each module is named after its verb."""
