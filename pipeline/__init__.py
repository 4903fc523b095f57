"""Where artifacts live, who runs the work, what the user types."""
