"""Trains the prompt model: python -m guard.prompts.training --help."""
