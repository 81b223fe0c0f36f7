"""The way of one request, from admit to deliver."""

from guard.pipeline.draw import Progress
from guard.pipeline.pipeline import Outcome, Pipeline, Refusal
from guard.pipeline.release import Draft, Provenance, Released, deliver, release
from guard.pipeline.request import Caller, Edit, ImageRequest
from guard.pipeline.trail import Trail

__all__ = [
    "Caller",
    "Draft",
    "Edit",
    "ImageRequest",
    "Outcome",
    "Pipeline",
    "Progress",
    "Provenance",
    "Refusal",
    "Released",
    "Trail",
    "deliver",
    "release",
]
