"""Assessors of pictures."""

from guard.images.assessor import PictureAssessor, load_assessor
from guard.images.known import pixels_sha256
from guard.images.known_list import KnownContentList, export_list, load_list, parse_list
from guard.images.list_making import list_of, merged
from guard.images.memorised import Withdrawals, training_data_of
from guard.images.panel import Panel

__all__ = [
    "KnownContentList",
    "Panel",
    "PictureAssessor",
    "Withdrawals",
    "export_list",
    "list_of",
    "load_assessor",
    "load_list",
    "merged",
    "parse_list",
    "pixels_sha256",
    "training_data_of",
]
