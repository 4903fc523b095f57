"""Foreign formats of images, captions and boxes; only `rc ingest` reads them."""
