"""The inside of training: batches of regions, the loop, optimisers, checkpoints."""
