"""A drawn world: pictures, captions and exact boxes, any number of them from a seed."""
