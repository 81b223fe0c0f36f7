"""The pipeline over HTTP, in the shapes that OpenAI clients speak."""

from guard.gateway.app import create_app

__all__ = ["create_app"]
