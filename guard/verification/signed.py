"""A report that can be checked and done again: what was found, under which conditions, signed.

The file is one JSON object. ``note`` is a C2SP signed note of two lines, the title and the SHA-256
of everything else in canonical form (RFC 8785). The key of the ledger signs it; no checkpoint can
be mistaken for it, for its first line is no ledger's name and its second no number.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, Literal

import orjson
import rfc8785
from pydantic import AwareDatetime, ValidationError

from guard.verification.batch import Outcome
from policies.decision import Frozen
from provenance.errors import ProofInvalid
from provenance.ledger import LedgerKey, VerifierKey
from provenance.ledger import note as notes

TITLE: Final = "wardmark.org/verification-report/v1"
SOFTWARE = ("wardmark", "c2pa-python")  # whose versions may change an answer
MAX_REPORT_BYTES = 256 * 1024 * 1024  # some ten thousand files

GROWING = ("record.checkpoint",)
"""Fields that another day changes although nothing about the file did."""


class Conditions(Frozen):
    """What an answer depends on beside the file.

    ``at``: the moment at which certificates had to be valid. ``trust``: SHA-256 (hex) of the trust
    anchors. ``ledger``: the signed note of the ledger's head, None where none was asked.
    ``resolvers``: the services that were asked; ``revocation``: so were signers' authorities.
    """

    at: AwareDatetime
    trust: str
    use_ledger: bool
    ledger: str | None
    resolvers: tuple[str, ...] = ()
    revocation: bool = False
    software: dict[str, str]


class SignedReport(Frozen):
    """``files``: the report of each as ``verify --json`` prints it, or its file and error."""

    format: Literal["wardmark.org/verification-report/v1"] = TITLE
    conditions: Conditions
    files: tuple[dict[str, Any], ...]


class Difference(Frozen):
    """``then`` and ``now``: of one field (a dotted path) of one file's report."""

    file: str
    field: str
    then: Any
    now: Any

    @property
    def decides(self) -> bool:
        """Whether it changes the answer, and not a detail of it."""
        return self.field in ("sha256", "verdict", "origin", "error", "file")


def software() -> dict[str, str]:
    """The versions of what judges."""
    return {name: version(name) for name in SOFTWARE}


def document(outcome: Outcome) -> dict[str, Any]:
    """An outcome as it is printed and signed."""
    if outcome.report is not None:
        return outcome.report.model_dump(mode="json")
    problem = outcome.problem
    error = problem and {"code": problem.code, "message": problem.message}
    return {"file": str(outcome.file), "error": error}


def seal(report: SignedReport, key: LedgerKey) -> bytes:
    """The file: ``report`` and its signature."""
    content = report.model_dump(mode="json")
    text = _text(content)
    note = notes.render(text, (key.sign(text),))
    return orjson.dumps(content | {"note": note}, option=orjson.OPT_INDENT_2) + b"\n"


def unseal(data: bytes, keys: Iterable[VerifierKey]) -> SignedReport:
    """The report in a file that one of ``keys`` signed. Raises ProofInvalid where none did, and
    where anything was changed since."""
    try:
        content = orjson.loads(data)
        note = notes.parse(content.pop("note"))
        report = SignedReport.model_validate(content)
        text = _text(content)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise ProofInvalid("this is no verification report of ours") from error
    except (ValidationError, rfc8785.CanonicalizationError) as error:
        raise ProofInvalid(f"this verification report cannot be read: {error}") from error
    if note.text != text:
        raise ProofInvalid("the report was changed after it was signed")
    if not any(_signed_by(key, note) for key in keys):
        named = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in note.signatures)
        raise ProofInvalid(f"the report is signed by {named}, which is not a key of this ledger")
    return report


def _text(content: Mapping[str, Any]) -> str:
    return f"{TITLE}\n{hashlib.sha256(rfc8785.dumps(dict(content))).hexdigest()}\n"


def _signed_by(key: VerifierKey, note: notes.Note) -> bool:
    try:
        key.check(note)
    except ProofInvalid:
        return False
    return True


def differences(
    then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    """Field by field what two examinations of the same files say differently."""
    for old, new in zip(then, now, strict=True):
        before, after = dict(_fields(old)), dict(_fields(new))
        for field in dict.fromkeys([*before, *after]):
            same = before.get(field) == after.get(field)
            if not same and field != "file" and not field.startswith(GROWING):
                yield Difference(
                    file=old["file"], field=field, then=before.get(field), now=after.get(field)
                )


def _fields(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _fields(item, f"{path}{name}.")
        else:
            yield f"{path}{name}", item
