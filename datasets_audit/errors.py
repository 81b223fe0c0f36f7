"""Errors of the data set audit. Exit code / HTTP status in the drawing.

WardmarkError (policies.errors)
├── WrongUse
│   ├── SourceInvalid         4 / 400   a source that cannot be read as a data set
│   ├── AnnotationsInvalid    2 / 422   wrong columns or values, with row numbers
│   ├── ReferenceInvalid      2 / 422   a reference population that is no distribution
│   ├── EngineUnknown         2 / 400   an engine that is not there
│   ├── OptOutsInvalid        2 / 422   a list of opt-outs or responses that is none
│   ├── FeaturesInvalid       2 / 422   feature vectors that cannot be used
│   ├── AttestationInvalid    2 / 422   an item, document or day that cannot be attested
│   ├── MemoryUnusable        4 / 409   the file that remembers what was measured is broken
│   └── OutputOccupied        2 / 409   the output folder holds something that is no audit
└── Unavailable
    ├── EngineUnavailable     4 / 503   an engine whose software or cluster is not there
    ├── LookUnavailable       4 / 503   what was to look closer is not installed
    ├── PdfUnavailable        4 / 503   no browser that prints
    └── WorkerLost            4 / 503   a worker process died in the middle of the pass
"""

from policies.errors import Unavailable, WrongUse


class SourceInvalid(WrongUse):
    """The folder or file is not there, is empty, or is of no kind that we read."""

    exit_code = 4
    code = "source_invalid"


class AnnotationsInvalid(WrongUse):
    """The annotations do not have the form that docs/audit.md describes."""

    http_status = 422
    code = "annotations_invalid"


class ReferenceInvalid(WrongUse):
    """The reference population is not a named, versioned set of distributions."""

    http_status = 422
    code = "reference_invalid"


class EngineUnknown(WrongUse):
    """No engine of that name."""

    code = "engine_unknown"


class OptOutsInvalid(WrongUse):
    """An opt-out list or recorded responses that do not have the form of docs/audit.md."""

    http_status = 422
    code = "opt_outs_invalid"


class FeaturesInvalid(WrongUse):
    """A file of feature vectors that does not have the form of docs/audit.md."""

    http_status = 422
    code = "features_invalid"


class AttestationInvalid(WrongUse):
    """What was attested names no item, no document, or a day that is past."""

    http_status = 422
    code = "attestation_invalid"


class MemoryUnusable(WrongUse):
    """The file that remembers what was measured cannot be read or written."""

    exit_code = 4
    http_status = 409
    code = "memory_unusable"


class OutputOccupied(WrongUse):
    """The output folder is not empty and not the output of an earlier audit."""

    http_status = 409
    code = "output_occupied"


class EngineUnavailable(Unavailable):
    """The engine's software is not installed, its cluster does not answer or has other versions."""

    code = "engine_unavailable"


class LookUnavailable(Unavailable):
    """What was to look closer at pictures or labels is not installed."""

    code = "look_unavailable"


class PdfUnavailable(Unavailable):
    """No browser is there that prints, or it did not."""

    code = "pdf_unavailable"


class WorkerLost(Unavailable):
    """A worker process ended without an answer (killed, out of memory, a crashing decoder)."""

    code = "worker_lost"
