"""Scenes: what the embedded core can draw, as values, as captions and as rendered pictures."""
