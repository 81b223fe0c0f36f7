"""Does a picture repeat one that the generator learnt from? By the audits of its data sets."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from guard.errors import SafetyUnavailable
from guard.images.finding import Finding, Subject
from guard.images.known_list import KnownContentList, pdq_words
from policies.decision import Frozen, Scalar
from provenance.errors import HomeInvalid
from provenance.fingerprint import MATCH_DISTANCE, MIN_QUALITY, dihedral

_COLUMNS: Final = ("pdq", "pdq_quality", "consent", "licence_use")


class TrainingData(Frozen):
    """``[[training_data]]`` in ``wardmark.toml``: a data set, and the ``samples`` folder of its
    audit (``wardmark audit --out``), relative to the home."""

    name: str = Field(min_length=1)
    samples: Path


_DECLARED: Final = TypeAdapter(tuple[TrainingData, ...])


@dataclass(frozen=True, eq=False)
class Audited:
    """The fingerprints of one data set. ``consent``, ``licence_use``: of each, as audited."""

    name: str
    prints: KnownContentList
    consent: Sequence[str]
    licence_use: Sequence[str]


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
    columns: dict[str, list[str]] = {"pdq": [], "consent": [], "licence_use": []}
    digest = hashlib.sha256(data.name.encode())
    try:
        for file in files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
            table = pq.read_table(file, columns=list(_COLUMNS)).to_pydict()
            for row in zip(*(table[name] for name in _COLUMNS), strict=True):
                pdq, quality, consent, use = row
                if pdq is not None and quality is not None and quality >= MIN_QUALITY:
                    columns["pdq"].append(pdq)
                    columns["consent"].append(consent)
                    columns["licence_use"].append(use)
    except (OSError, ArrowException, KeyError) as error:
        raise SafetyUnavailable(
            f"training_data {data.name}: {folder} cannot be read: {error}; audit it again"
        ) from error
    prints = KnownContentList(
        name=data.name,
        digest=digest.hexdigest(),
        pdq=pdq_words(columns["pdq"]) if columns["pdq"] else np.empty((0, 4), np.uint64),
        pdq_labels=("",) * len(columns["pdq"]),
    )
    return Audited(data.name, prints, columns["consent"], columns["licence_use"])


class Memorised:
    """The part that searches the data sets. The nearest repeated picture of all is the one told.

    A picture too flat for PDQ (quality below 50) has no such fact: nobody can say.
    """

    def __init__(self, audited: Sequence[Audited]) -> None:
        self._audited = tuple(audited)

    @property
    def digest(self) -> str:
        return hashlib.sha256(" ".join(a.prints.digest for a in self._audited).encode()).hexdigest()

    def find(self, subject: Subject) -> Finding:
        variants = dihedral(subject.pixels)
        if not variants[0].usable:
            return Finding()
        queries = pdq_words([variant.pdq for variant in variants])
        nearest: Mapping[str, Scalar] = {"memorised.match": False}
        best = MATCH_DISTANCE + 1
        for audited in self._audited:
            found = audited.prints.nearest(queries)
            if found is not None and found.distance < best:
                best = found.distance
                nearest = {
                    "memorised.match": True,
                    "memorised.dataset": audited.name,
                    "memorised.distance": found.distance,
                    "memorised.consent": audited.consent[found.row],
                    "memorised.licence_use": audited.licence_use[found.row],
                }
        return Finding(fields=nearest)
