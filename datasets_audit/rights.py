"""Opt-out lists and recorded responses as files, and what they say of one picture.

An opt-out list is CSV with the columns ``kind`` (sha256, pdq, url, domain) and ``value``. Recorded
responses are JSON lines: ``{"url", "status", "headers": {...} or [[name, value], ...], "body"}``,
one for each address that was asked, robots.txt and the like among them; perhaps with ``sha256`` of
the body (UTF-8) and ``asked_at``. A line with ``problem`` says why there is none, and no more.
"""

import csv
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from datasets_audit.errors import OptOutsInvalid
from datasets_audit.inspection import Inspection
from datasets_audit.report import RightsFile
from datasets_audit.reservation import Response, asked_of, reserved_by
from provenance.fingerprint import MATCH_DISTANCE, MIN_QUALITY

KINDS: Final = ("sha256", "pdq", "url", "domain")
MAX_MISTAKES: Final = 5  # named in one message
AT_HAND: Final = 1_024  # responses that are not looked up again
_FORMS: Final = {
    "sha256": re.compile("[0-9a-f]{64}"),
    "pdq": re.compile("[0-9a-f]{64}"),
    "url": re.compile(r"https?://\S+"),
    "domain": re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+"),
}


@dataclass(frozen=True)
class Rights:
    """Who opted out. ``pdqs``: (n, 4) words. ``domains`` hold for all below them.

    ``files``: where all this was read.
    """

    sha256s: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    pdqs: NDArray[np.uint64] = field(default_factory=lambda: np.empty((0, 4), np.uint64))
    responses: Mapping[str, Response] = field(default_factory=dict)
    files: tuple[RightsFile, ...] = ()
    lists: bool = False

    def asked(self, source_url: str | None) -> bool:
        """Whether anything here could speak of a picture from ``source_url``."""
        return self.lists or bool(source_url and asked_of(source_url, self.responses))

    def reserved(self, seen: Inspection, source_url: str | None) -> str | None:
        """The signal that reserves rights on a picture, in the order of ``reservation``."""
        if seen.sha256 in self.sha256s:
            return "opt-out:sha256"
        if self._looks_like_one(seen):
            return "opt-out:pdq"
        url = source_url or ""
        if url in self.urls:
            return "opt-out:url"
        host = (urlsplit(url).hostname or "").lower()
        if self.domains and any(part in self.domains for part in _above(host)):
            return "opt-out:domain"
        if seen.no_training:
            return f"file:{seen.no_training}"
        return reserved_by(url, self.responses) if url and self.responses else None

    def _looks_like_one(self, seen: Inspection) -> bool:
        if not len(self.pdqs) or seen.pdq is None or (seen.pdq_quality or 0) < MIN_QUALITY:
            return False
        own = np.frombuffer(bytes.fromhex(seen.pdq), np.uint64)
        distances = np.bitwise_count(self.pdqs ^ own).sum(axis=1)
        return bool(distances.min() <= MATCH_DISTANCE)


def load_rights(opt_outs: Iterable[Path] = (), responses: Path | None = None) -> Rights:
    """Read lists and responses. Raises OptOutsInvalid with the rows at fault."""
    held: dict[str, set[str]] = {kind: set() for kind in KINDS}
    given = list(opt_outs)
    for path in given:
        _read_list(path, held)
    words = b"".join(bytes.fromhex(value) for value in sorted(held["pdq"]))
    files = [RightsFile(name=path.name, sha256=_digest(path)) for path in given]
    found = Responses(responses) if responses else None
    return Rights(
        sha256s=frozenset(held["sha256"]),
        urls=frozenset(held["url"]),
        domains=frozenset(held["domain"]),
        pdqs=np.frombuffer(words, np.uint64).reshape(-1, 4),
        responses={} if found is None else found,
        files=(*files, found.file) if found else tuple(files),
        lists=bool(given),
    )


def _read_list(path: Path, held: dict[str, set[str]]) -> None:
    mistakes = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"kind", "value"} <= set(rows.fieldnames or ()):
                raise OptOutsInvalid(f"{path.name} needs the columns kind and value.")
            for number, row in enumerate(rows, 2):
                kind, value = (str(row[name] or "").strip() for name in ("kind", "value"))
                kind, value = kind.lower(), value if kind.lower() == "url" else value.lower()
                if kind not in _FORMS:
                    mistakes.append(f"row {number}: {kind!r} is none of {', '.join(KINDS)}")
                elif not _FORMS[kind].fullmatch(value):
                    mistakes.append(f"row {number}: {value[:80]!r} is no {kind}")
                else:
                    held[kind].add(value)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptOutsInvalid(f"{path} cannot be read: {error}. Write it as UTF-8 CSV.") from error
    _refuse(path, mistakes)


class Responses(Mapping[str, Response]):
    """Recorded responses by address, on disk. Of several to one address the last one holds."""

    def __init__(self, path: Path) -> None:
        """Raises OptOutsInvalid with the rows at fault."""
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.execute("CREATE TABLE said (url TEXT PRIMARY KEY, row TEXT) WITHOUT ROWID")
        mistakes, days = [], set()
        try:
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    if not line.strip():
                        continue
                    try:
                        given = json.loads(line)
                        if "problem" in given:
                            continue
                        url = _response(given).url
                        days.add(str(given.get("asked_at") or "")[:10])
                    except (ValueError, TypeError, KeyError, AttributeError) as error:
                        mistakes.append(f"row {number}: {type(error).__name__}: {error}")
                    else:
                        said = (url, line)
                        self._database.execute("INSERT OR REPLACE INTO said VALUES (?, ?)", said)
        except (OSError, UnicodeDecodeError) as error:
            raise OptOutsInvalid(
                f"{path} cannot be read: {error}. Write it as JSON lines."
            ) from error
        _refuse(path, mistakes)
        asked = sorted(days - {""})
        self.file = RightsFile(
            name=path.name,
            sha256=_digest(path),
            first=asked[0] if asked else None,
            last=asked[-1] if asked else None,
        )
        self._at_hand = lru_cache(AT_HAND)(self._look_up)

    def _look_up(self, url: str) -> Response | None:
        row = self._database.execute("SELECT row FROM said WHERE url = ?", (url,)).fetchone()
        return _response(json.loads(row[0])) if row else None

    def __getitem__(self, url: str) -> Response:
        found = self._at_hand(url)
        if found is None:
            raise KeyError(url)
        return found

    def __iter__(self) -> Iterator[str]:
        return (url for (url,) in self._database.execute("SELECT url FROM said ORDER BY url"))

    def __len__(self) -> int:
        ((count,),) = self._database.execute("SELECT count(*) FROM said")
        return int(count)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _response(given: Mapping[str, object]) -> Response:
    headers = given.get("headers") or {}
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    flat = []
    for name, value in pairs:  # type: ignore[attr-defined]  # checked by what it raises
        values: Sequence[object] = value if isinstance(value, list) else [value]
        flat += [(str(name), str(one)) for one in values]
    body = str(given.get("body") or "")
    if "sha256" in given and sha256(body.encode()).hexdigest() != given["sha256"]:
        raise ValueError("the body is not the one that was recorded, by its SHA-256")
    return Response(
        url=str(given["url"]),
        status=int(str(given.get("status", 200))),
        headers=tuple(flat),
        body=body,
    )


def _refuse(path: Path, mistakes: Sequence[str]) -> None:
    if mistakes:
        more = len(mistakes) - MAX_MISTAKES
        rest = f"; and {more:,} more" if more > 0 else ""
        named = "; ".join(mistakes[:MAX_MISTAKES])
        raise OptOutsInvalid(f"{path.name}: {named}{rest}. Correct them.")


def _above(host: str) -> list[str]:
    """``a.b.org`` -> a.b.org, b.org, org."""
    parts = host.split(".")
    return [".".join(parts[at:]) for at in range(len(parts))]
