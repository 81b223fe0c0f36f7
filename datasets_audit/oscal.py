"""Checklists and their status as OSCAL (NIST, version 1.1.3), for tools that read assessments.

``catalog`` holds the controls; ``assessment_results`` what an audit found, with the catalog
attached in its back matter, so that one file is enough. Ids of documents and parts are UUIDs of
version 5, made of what they stand for: the same audit gives the same bytes.

OSCAL knows satisfied and not-satisfied alone. Gap and stale are not-satisfied; evidenced and
attested are given as satisfied, with the remark that evidence is not conformity; what has nothing
to apply to is observed and has no finding.
"""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from datasets_audit.report import AuditReport, ControlStatus
from policies.frameworks import Control, Framework, load_frameworks

OSCAL_VERSION: Final = "1.1.3"
VERSION: Final = "1"  # of our catalog; raised whenever a control is added or changes its meaning
PUBLISHED: Final = date(2026, 11, 21)  # of that version
NAMESPACE: Final = UUID("6f0d7d0e-5a0b-5b7e-9a37-2f1d0f5f6c11")
PROPERTIES: Final = "urn:wardmark:oscal"
STATEMENT: Final = "_smt"
NOT_CONFORMITY: Final = "Evidence was found. Whether the requirement is met is for people to judge."

Document = dict[str, Any]


def control_id(framework: str, item: str) -> str:
    """The OSCAL token of an item, such as ``nist-ai-rmf_govern-1.1``."""
    return f"{framework}_{re.sub('[^a-z0-9.]+', '-', item.lower()).strip('-')}"


def catalog(frameworks: Sequence[Framework] | None = None) -> Document:
    """The controls of ``frameworks`` (all, without it), a group for each framework."""
    taken = load_frameworks() if frameworks is None else frameworks
    names = [framework.name for framework in taken]
    return {
        "catalog": {
            "uuid": _uuid("catalog", VERSION, *names),
            "metadata": _metadata("Checklists that a data set audit gives evidence for", PUBLISHED),
            "groups": [_group(framework) for framework in taken],
        }
    }


def assessment_results(
    report: AuditReport, statuses: Sequence[ControlStatus] | None = None
) -> Document:
    """What the audit of ``report`` found for every control, or how they stand by ``statuses``."""
    checklist = report.checklist if statuses is None else statuses
    identity = (report.name, report.root, report.as_of.isoformat(), str(report.use))
    plan = _uuid("plan", *identity)
    attached = _uuid("attached catalog", *identity)
    judged = [status for status in checklist if status.status != "not-applicable"]
    result = {
        "uuid": _uuid("result", *identity),
        "title": f"Audit of {_line(report.name)}",
        "description": report.summary,
        "start": _time(report.as_of),
        "props": [
            _property("data-set-root", report.root),
            _property("samples", str(report.source.pictures)),
        ],
        "reviewed-controls": {
            "control-selections": [
                {
                    "include-controls": [
                        {"control-id": control_id(one.framework, one.id)}
                        for one in checklist
                    ]
                }
            ]
        },
        "observations": [_observation(report, one, identity) for one in checklist],
    }
    if judged:
        result["findings"] = [_finding(one, identity) for one in judged]
    title = f"Assessment of the data set {_line(report.name)}"
    return {
        "assessment-results": {
            "uuid": _uuid("assessment-results", *identity),
            "metadata": _metadata(title, report.as_of),
            "import-ap": {
                "href": f"#{plan}",
                "remarks": "No separate plan: the checks are those of wardmark audit.",
            },
            "results": [result],
            "back-matter": {"resources": [_plan(plan), _attached(attached)]},
        }
    }


def dumps(document: Document) -> str:
    """The document as it is written to a file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _metadata(title: str, day: date) -> Document:
    return {
        "title": title,
        "last-modified": _time(day),
        "version": VERSION,
        "oscal-version": OSCAL_VERSION,
    }


def _group(framework: Framework) -> Document:
    return {
        "id": framework.name,
        "title": framework.title,
        "props": [_property("edition", framework.edition), _property("source", framework.source)],
        "controls": [_control(framework, control) for control in framework.controls],
    }


def _control(framework: Framework, control: Control) -> Document:
    token = control_id(framework.name, control.id)
    part = {"id": f"{token}{STATEMENT}", "name": "statement", "prose": control.title}
    given: Document = {
        "id": token,
        "title": control.title,
        "props": [
            {"name": "label", "value": control.id},
            _property("evidence-mode", control.mode.value),
            *(_property("evidence", name) for name in control.evidence),
        ],
        "parts": [part],
    }
    if control.attest:
        part = {"id": f"{token}_gdn", "name": "guidance", "prose": f"To attest: {control.attest}."}
        given["parts"].append(part)
    return given


def _observation(report: AuditReport, status: ControlStatus, identity: tuple[str, ...]) -> Document:
    given: Document = {
        "uuid": _uuid("observation", *identity, status.framework, status.id),
        "title": f"{status.id}: {status.title}",
        "description": status.because,
        "props": [
            _property("control", control_id(status.framework, status.id)),
            _property("status", status.status),
        ],
        "methods": ["EXAMINE"],
        "collected": _time(report.as_of),
    }
    figures = {figure.id: figure.value for figure in report.figures}
    if status.evidence:
        given["relevant-evidence"] = [
            {
                "href": "report.json" if name in figures else "urn:wardmark:ledger",
                "description": f"{name}: {figures.get(name, 'events of this kind in the ledger')}",
                "props": [_property("figure" if name in figures else "event-kind", name)],
            }
            for name in status.evidence
        ]
    return given


def _finding(status: ControlStatus, identity: tuple[str, ...]) -> Document:
    evidenced = status.status in ("evidenced", "attested")
    state: Document = {"state": "satisfied" if evidenced else "not-satisfied"}
    if evidenced:
        state["remarks"] = NOT_CONFORMITY
    given: Document = {
        "uuid": _uuid("finding", *identity, status.framework, status.id),
        "title": f"{status.id}: {status.title}",
        "description": status.because,
        "target": {
            "type": "statement-id",
            "target-id": f"{control_id(status.framework, status.id)}{STATEMENT}",
            "status": state,
        },
        "related-observations": [
            {"observation-uuid": _uuid("observation", *identity, status.framework, status.id)}
        ],
    }
    if status.next_step:
        given["remarks"] = f"Next step: {status.next_step}"
    return given


def _plan(uuid: str) -> Document:
    return {
        "uuid": uuid,
        "title": "How the audit works",
        "description": "The checks are fixed by the program; docs/audit.md describes each. "
        "There is no assessment plan of its own.",
    }


def _attached(uuid: str) -> Document:
    return {
        "uuid": uuid,
        "title": "The catalog of the controls that are named here",
        "base64": {
            "filename": "catalog.json",
            "media-type": "application/json",
            "value": b64encode(dumps(catalog()).encode()).decode(),
        },
    }


def _property(name: str, value: str) -> Document:
    return {"name": name, "ns": PROPERTIES, "value": _line(value)}


def _line(text: str) -> str:
    """OSCAL's strings hold no white space at either end, and are not empty."""
    return text.strip() or "-"


def _time(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _uuid(*parts: str) -> str:
    return str(uuid5(NAMESPACE, "\x00".join(parts)))
