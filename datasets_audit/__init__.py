"""What did it learn from? Consent, licences and balance of a data set.

from datasets_audit import audit
report = audit("pictures/", name="harbour", annotations="pictures.csv", out="audit/")
"""

from datasets_audit.audit import Progress, audit
from datasets_audit.figures import Recomputed, load_report, recompute
from datasets_audit.licence import DeclaredUse
from datasets_audit.proof import Discrepancy, check_report
from datasets_audit.report import AuditReport

__all__ = [
    "AuditReport",
    "DeclaredUse",
    "Discrepancy",
    "Progress",
    "Recomputed",
    "audit",
    "check_report",
    "load_report",
    "recompute",
]
