"""Checklists as pages show them: how many items stand how, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, get_args

from datasets_audit.checklist import assess, standing
from datasets_audit.report import ControlStatus, Status
from policies.decision import Frozen
from policies.frameworks import Framework, load_framework, load_frameworks
from provenance.home import Home

STATES: Final[tuple[Status, ...]] = get_args(Status)


class Summary(Frozen):
    """A framework and how many of its items stand how."""

    name: str
    title: str
    edition: str
    counts: Mapping[str, int]

    @property
    def items(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def summaries(home: Home) -> tuple[Summary, ...]:
    """Every framework, as it stands now. Raises LedgerUnavailable."""
    frameworks = load_frameworks()
    statuses = assess(frameworks, standing(home))
    return tuple(_summary(one, statuses) for one in frameworks)


def items(home: Home, name: str) -> tuple[Framework, tuple[ControlStatus, ...]]:
    """A framework and its items. Raises as ``load_framework``, LedgerUnavailable."""
    framework = load_framework(name)
    return framework, tuple(assess((framework,), standing(home)))


def _summary(framework: Framework, statuses: Sequence[ControlStatus]) -> Summary:
    counts = Counter(one.status for one in statuses if one.framework == framework.name)
    return Summary(
        name=framework.name,
        title=framework.title,
        edition=framework.edition,
        counts={state: counts[state] for state in STATES},
    )
