"""Errors of the data set audit. Exit code / HTTP status in the drawing.

    WardmarkError (policies.errors)
    └── WrongUse
        ├── SourceInvalid         4 / 400   a source that cannot be read as a data set
        └── AnnotationsInvalid    2 / 422   wrong columns or values, with row numbers
"""

from policies.errors import WrongUse


class SourceInvalid(WrongUse):
    """The folder or file is not there, is empty, or is of no kind that we read."""

    exit_code = 4
    code = "source_invalid"


class AnnotationsInvalid(WrongUse):
    """The annotations do not have the form that docs/audit.md describes."""

    http_status = 422
    code = "annotations_invalid"
