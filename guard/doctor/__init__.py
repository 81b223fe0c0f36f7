"""Is this deployment fit to serve? One look at each part, and what to mend."""

from guard.doctor.examination import CHECKS, examine
from guard.doctor.finding import Examination, Finding, State
from guard.doctor.subject import Limits, Subject

__all__ = ["CHECKS", "Examination", "Finding", "Limits", "State", "Subject", "examine"]
