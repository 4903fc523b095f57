"""How well captions in other languages than English become concepts."""
