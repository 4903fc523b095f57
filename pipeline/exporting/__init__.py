"""What leaves the store: weights, features and pseudo-labels in formats that others read."""
