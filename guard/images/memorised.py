"""Does a picture repeat one that the generator learnt from? By the audits of its data sets."""

import hashlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from guard.errors import SafetyUnavailable
from guard.images.finding import Finding, Subject
from guard.images.known import pdq_queries
from guard.images.known_list import KnownContentList, pdq_words
from guard.images.pdq_index import Nearest
from policies.decision import Frozen, Scalar
from provenance.errors import HomeInvalid
from provenance.fingerprint import MATCH_DISTANCE, MIN_QUALITY
from provenance.ledger import Ledger
from provenance.ledger.forgetting.subjects import WITHDRAWN

_COLUMNS: Final = ("pdq", "pdq_quality", "consent", "licence_use", "subject")
_GONE: Final = "withdrawn"  # the consent state


class TrainingData(Frozen):
    """``[[training_data]]`` in ``wardmark.toml``: a data set, and the ``samples`` folder of its
    audit (``wardmark audit --out``), relative to the home."""

    name: str = Field(min_length=1)
    samples: Path


_DECLARED: Final = TypeAdapter(tuple[TrainingData, ...])


@dataclass(frozen=True, eq=False)
class Audited:
    """The fingerprints of one data set. ``consent``, ``licence_use``: of each, as audited;
    ``subject``: whose it is, a pseudonym, or None."""

    name: str
    prints: KnownContentList
    consent: Sequence[str]
    licence_use: Sequence[str]
    subject: Sequence[str | None]


def training_data_of(declared: Sequence[Mapping[str, Any]], home: Path) -> list[Audited]:
    """The fingerprints of all data sets that are declared.

    Raises HomeInvalid where a declaration is wrong, SafetyUnavailable where rows are missing.
    """
    try:
        return [load_audited(d, home) for d in _DECLARED.validate_python(list(map(dict, declared)))]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise HomeInvalid(
            f"training_data in {home / 'wardmark.toml'}: {place}: {first['msg']}. Give name and "
            "samples, the folder that wardmark audit --out wrote."
        ) from error


def load_audited(data: TrainingData, home: Path) -> Audited:
    """Raises SafetyUnavailable where there are no rows of an audit, or they cannot be read."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    folder = home / data.samples
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise SafetyUnavailable(
            f"training_data {data.name}: no rows of an audit in {folder}; name the samples folder "
            "that wardmark audit --out wrote"
        )
    kept: dict[str, list[Any]] = {name: [] for name in ("pdq", "consent", "licence_use", "subject")}
    digest = hashlib.sha256(data.name.encode())
    try:
        for file in files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
            table = pq.read_table(file, columns=list(_COLUMNS)).to_pydict()
            for row in zip(*(table[name] for name in _COLUMNS), strict=True):
                pdq, quality, *rest = row
                if pdq is not None and quality is not None and quality >= MIN_QUALITY:
                    for column, value in zip(kept.values(), (pdq, *rest), strict=True):
                        column.append(value)
    except (OSError, ArrowException, KeyError) as error:
        raise SafetyUnavailable(
            f"training_data {data.name}: {folder} cannot be read: {error}; audit it again"
        ) from error
    prints = KnownContentList(
        name=data.name,
        digest=digest.hexdigest(),
        pdq=pdq_words(kept["pdq"]) if kept["pdq"] else np.empty((0, 4), np.uint64),
        pdq_labels=("",) * len(kept["pdq"]),
    )
    return Audited(data.name, prints, kept["consent"], kept["licence_use"], kept["subject"])


class Withdrawals:
    """Who took their consent back, by the ledger of now. Safe to share between threads.

    Raises LedgerUnavailable where it cannot be asked.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._turn = Lock()
        self._seen = 0  # entries of the ledger up to the last withdrawal
        self._subjects: set[str] = set()

    def __contains__(self, subject: object) -> bool:
        with self._turn:
            for entry in self._ledger.entries(kind=WITHDRAWN, first=self._seen):
                self._subjects.add(str(entry.body.get("subject")))
                self._seen = entry.index + 1
            return subject in self._subjects


class Memorised:
    """The part that searches the data sets. The nearest repeated picture of all is the one told.

    A picture too flat for PDQ (quality below 50) has no such fact: nobody can say. A sample of
    somebody among ``withdrawn`` counts as withdrawn, whatever its audit said; only of a picture
    that repeats one is anybody asked.
    """

    def __init__(self, audited: Sequence[Audited], withdrawn: Container[str] = ()) -> None:
        self._audited, self._withdrawn = tuple(audited), withdrawn

    @property
    def digest(self) -> str:
        return hashlib.sha256(" ".join(a.prints.digest for a in self._audited).encode()).hexdigest()

    def find(self, subject: Subject) -> Finding:
        queries = pdq_queries(subject.pixels)
        if queries is None:
            return Finding()
        nearest: tuple[Audited, Nearest] | None = None
        best = MATCH_DISTANCE + 1
        for audited in self._audited:
            found = audited.prints.nearest(queries)
            if found is not None and found.distance < best:
                nearest, best = (audited, found), found.distance
        return Finding(fields=self._told(*nearest) if nearest else {"memorised.match": False})

    def _told(self, audited: Audited, found: Nearest) -> Mapping[str, Scalar]:
        subject, consent = audited.subject[found.row], audited.consent[found.row]
        if consent != _GONE and subject is not None and subject in self._withdrawn:
            consent = _GONE
        return {
            "memorised.match": True,
            "memorised.dataset": audited.name,
            "memorised.distance": found.distance,
            "memorised.consent": consent,
            "memorised.licence_use": audited.licence_use[found.row],
        }
