"""From captions to concepts: noun phrases that name something one could point at."""
