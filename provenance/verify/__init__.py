"""Where does a picture come from, and how sure are we? One verdict out of all layers."""

from provenance.verify.report import Agreement, Inclusion, LegalLine, Origin, Report, Verdict
from provenance.verify.sources import RecordSource, Sources
from provenance.verify.verification import verify

__all__ = [
    "Agreement",
    "Inclusion",
    "LegalLine",
    "Origin",
    "RecordSource",
    "Report",
    "Sources",
    "Verdict",
    "verify",
]
