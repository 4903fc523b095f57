"""Used by map-regions: features of a sample of regions, and where they lie in a plane."""
