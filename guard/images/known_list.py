"""Operators' lists of known content: how they are read, checked and searched.

A list is a CSV file in the form that ThreatExchange's tools exchange. The header names a column
for the kind of hash (``kind``, ``type`` or ``signal_type``), one for the hash (``hash``,
``indicator`` or ``signal_str``) and, if there are, ``label`` and ``quality``:

    kind,hash,label,quality
    sha256,<64 hex digits>,terror-2024,
    pdq,<64 hex digits>,terror-2024,98

or plain text with one hash a line, after a line ``# kind: pdq`` or ``# kind: sha256`` that tells
which they are: both kinds have 64 digits. Other lines that begin with # are comments.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.errors import KnownListInvalid
from guard.images.pdq_index import Nearest, PdqIndex
from provenance.fingerprint import MIN_QUALITY

KINDS: Final = {
    "sha256": "sha256",
    "hash_sha256": "sha256",
    "pdq": "pdq",
    "hash_pdq": "pdq",
}
_KIND_COLUMNS: Final = ("kind", "type", "signal_type")
_HASH_COLUMNS: Final = ("hash", "indicator", "signal_str")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_DECLARED_KIND: Final = re.compile(r"#\s*kind\s*:\s*(\S+)\s*", re.IGNORECASE)

MAX_ERRORS_TOLD: Final = 10  # lines; more than a person mends at one go
_WORDS: Final = 4  # 64-bit words of a PDQ hash
INDEXED_FROM: Final = 20_000  # hashes; below, looking at each costs a millisecond or less
_ROWS_AT_ONCE: Final = 1 << 13  # rows in one numpy call: a column of them stays in the L2 cache


@dataclass(frozen=True, eq=False)
class KnownContentList:
    """One list. ``sha256``: hash -> label. ``pdq``: (n, 4) uint64, its labels in ``pdq_labels``.

    ``conclusive``: policy blocks whatever stands here, so nothing more need be looked for.
    ``notes``: what was left out at loading, for the operator. ``digest``: over the file.
    """

    name: str
    digest: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    pdq: NDArray[np.uint64] = field(default_factory=lambda: np.empty((0, _WORDS), np.uint64))
    pdq_labels: tuple[str, ...] = ()
    conclusive: bool = False
    notes: tuple[str, ...] = ()

    def nearest(self, queries: NDArray[np.uint64]) -> Nearest | None:
        """The row nearest to any of ``queries`` (m, 4) uint64; None for a list without PDQ.

        Of INDEXED_FROM rows and more, an index finds those within MATCH_DISTANCE, and only those.
        """
        if len(self.pdq) >= INDEXED_FROM:
            return self._index.nearest(queries)
        best: Nearest | None = None
        for start in range(0, len(self.pdq), _ROWS_AT_ONCE):
            rows = self.pdq[start : start + _ROWS_AT_ONCE]
            for query in queries:
                distances = np.zeros(len(rows), np.uint16)
                for word in range(_WORDS):
                    distances += np.bitwise_count(rows[:, word] ^ query[word])
                row = int(distances.argmin())
                if best is None or distances[row] < best.distance:
                    best = Nearest(start + row, int(distances[row]))
        return best


    @cached_property
    def _index(self) -> PdqIndex:
        return PdqIndex(self.pdq)


def pdq_words(digits: list[str]) -> NDArray[np.uint64]:
    """PDQ hashes of 64 hex digits as (n, 4) uint64, column by column: a search reads columns."""
    words = np.frombuffer(bytes.fromhex("".join(digits)), np.uint64).reshape(-1, _WORDS)
    return np.asfortranarray(words)


def export_list(known: KnownContentList) -> bytes:
    """The list as a CSV that ThreatExchange's tools read, and ``parse_list`` too.

    Columns ``signal_type`` (HASH_SHA256, HASH_PDQ), ``signal_str`` and ``label``.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow((_KIND_COLUMNS[-1], _HASH_COLUMNS[-1], "label"))
    rows.writerows(("HASH_SHA256", digest, label) for digest, label in known.sha256.items())
    digits = np.ascontiguousarray(known.pdq).tobytes().hex()
    for row, label in enumerate(known.pdq_labels):
        rows.writerow(("HASH_PDQ", digits[64 * row : 64 * row + 64], label))
    return text.getvalue().encode()


def load_list(path: Path, *, name: str | None = None, conclusive: bool = False) -> KnownContentList:
    """The list in the file ``path``; its name is the file's unless one is given.

    Raises KnownListInvalid with the numbers of the lines at fault: a list that is only half
    understood would let through what it was made to stop.
    """
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise KnownListInvalid(
            f"{path}: {fault.strerror}; give a CSV of kind,hash,label, or leave the list out"
        ) from fault
    return parse_list(data, name or path.stem, conclusive=conclusive)


def parse_list(data: bytes, name: str, *, conclusive: bool = False) -> KnownContentList:
    """The list that the bytes of a file spell. Raises KnownListInvalid."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise KnownListInvalid(f"list {name}, line {line}: not UTF-8 text") from fault
    sha256: dict[str, str] = {}
    digits: list[str] = []
    labels: list[str] = []
    flat = 0
    faults: list[str] = []
    for entry in _entries(text, name):
        if isinstance(entry, _Fault):
            faults.append(f"line {entry.line}: {entry.what}")
        elif entry.kind == "sha256":
            sha256[entry.hash] = entry.label
        elif entry.quality is not None and entry.quality < MIN_QUALITY:
            flat += 1
        else:
            digits.append(entry.hash)
            labels.append(entry.label)
    if faults:
        told = "; ".join(faults[:MAX_ERRORS_TOLD])
        more = len(faults) - MAX_ERRORS_TOLD
        raise KnownListInvalid(
            f"list {name}, {told}" + (f"; and {more} more lines" if more > 0 else "")
        )
    if not sha256 and not digits and not flat:
        raise KnownListInvalid(f"list {name} holds no hash; leave it out if that is meant")
    flat_note = f"{flat} PDQ hashes of quality below {MIN_QUALITY} left out: they match by chance"
    return KnownContentList(
        name=name,
        digest=hashlib.sha256(data).hexdigest(),
        sha256=sha256,
        pdq=pdq_words(digits),
        pdq_labels=tuple(labels),
        conclusive=conclusive,
        notes=(flat_note,) if flat else (),
    )


class _Entry(NamedTuple):
    kind: str
    hash: str
    label: str
    quality: int | None


class _Fault(NamedTuple):
    line: int
    what: str


def _entries(text: str, name: str) -> Iterator[_Entry | _Fault]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if "," in first and not first.startswith("#"):
        yield from _csv_entries(text, name)
    else:
        yield from _plain_entries(text, name)


def _csv_entries(text: str, name: str) -> Iterator[_Entry | _Fault]:
    rows = csv.DictReader(io.StringIO(text, newline=""), restval="", restkey="")
    try:
        columns = {column.strip().lower(): column for column in rows.fieldnames or ()}
        kind_column = next((columns[c] for c in _KIND_COLUMNS if c in columns), None)
        hash_column = next((columns[c] for c in _HASH_COLUMNS if c in columns), None)
        if kind_column is None or hash_column is None:
            raise KnownListInvalid(
                f"list {name}, line 1: no columns for kind and hash;"
                " the header should read kind,hash,label"
            )
        label_column, quality_column = columns.get("label"), columns.get("quality")
        for row in rows:
            yield _checked(
                rows.line_num,
                row[kind_column],
                row[hash_column],
                row[label_column] if label_column else "",
                row[quality_column] if quality_column else "",
            )
    except csv.Error as fault:
        raise KnownListInvalid(f"list {name}, line {rows.line_num + 1}: {fault}") from fault


def _plain_entries(text: str, name: str) -> Iterator[_Entry | _Fault]:
    kind = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if declared := _DECLARED_KIND.fullmatch(stripped):
            kind = declared[1]
        elif stripped and not stripped.startswith("#"):
            if not kind:
                raise KnownListInvalid(
                    f"list {name}, line {number}: put a line '# kind: pdq' or '# kind: sha256'"
                    " before the hashes; both have 64 digits"
                )
            yield _checked(number, kind, stripped, "", "")


def _checked(line: int, kind: str, digits: str, label: str, quality: str) -> _Entry | _Fault:
    known = KINDS.get(kind.strip().lower())
    if known is None:
        return _Fault(line, f"unknown kind {kind.strip()!r}; known: sha256, pdq")
    plain = digits.strip().lower()
    if not _HASH.fullmatch(plain):
        return _Fault(line, f"a {known} hash has 64 hex digits, this is {plain[:70]!r}")
    if not quality.strip():
        return _Entry(known, plain, label.strip(), None)
    if not quality.strip().isdecimal() or int(quality) > 100:
        return _Fault(line, f"quality is a whole number from 0 to 100, not {quality.strip()!r}")
    return _Entry(known, plain, label.strip(), int(quality))
