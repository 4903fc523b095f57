"""Analysis of pseudo-labels and evaluations; each module is named after its verb."""
