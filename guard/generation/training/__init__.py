"""Training of the embedded core, from rendered scenes to a checkpoint: `python -m` this package."""
