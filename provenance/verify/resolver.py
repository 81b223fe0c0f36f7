"""A client of the C2PA Soft Binding Resolution API (2.4): who keeps the credential of this mark?

A resolver is a stranger: what it returns is judged like any other credential, and counts only if
it states the very mark it was found by and carries a picture of itself that looks like the file.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import orjson

from provenance.errors import FetchFailed
from provenance.fetch import Fetcher

MAX_MATCHES = 3  # credentials that are looked at for one mark
MAX_ANSWER_BYTES = 16 * 1024 * 1024  # of a credential; ours take tens of KB
MAX_NAME = 500  # characters of a manifest's identifier
JSON_KINDS = ("application/json",)
STORE_KINDS = ("application/c2pa", "application/octet-stream")


class SoftBindingValue(NamedTuple):
    """What a scheme read in the pixels: the name of its algorithm, and the payload."""

    alg: str
    value: bytes


class Lead(NamedTuple):
    """A credential that a resolver keeps. ``similarity``: 0..100 as it states, or None.
    ``binding``: what it was found by, None where it was found by the picture's looks."""

    manifest: str
    store: bytes
    similarity: int | None
    binding: SoftBindingValue | None


class _Match(NamedTuple):
    manifest: str
    endpoint: str
    similarity: int | None


@dataclass(frozen=True)
class Resolver:
    """``url``: where the API begins, such as https://example.org/v1. ``send_picture``: also sends
    the picture itself, which then leaves this machine; without, only the mark's value does."""

    url: str
    fetcher: Fetcher = field(default_factory=lambda: Fetcher(max_bytes=MAX_ANSWER_BYTES))
    send_picture: bool = False

    @property
    def host(self) -> str:
        """Its name in reports."""
        return urlsplit(self.url).netloc[:MAX_NAME]


def resolve(
    resolver: Resolver,
    bindings: Sequence[SoftBindingValue],
    picture: bytes = b"",
    media_type: str = "",
) -> tuple[Lead, ...]:
    """The credentials that a resolver keeps for what was read in a picture.

    Raises AddressRefused and FetchFailed where it cannot be asked or its answer cannot be used: an
    outage is not an answer.
    """
    supported = _supported(resolver)
    leads: list[Lead] = []
    for binding in bindings:
        if binding.alg in supported:
            value = base64.b64encode(binding.value).decode("ascii")
            asked = {"alg": binding.alg, "value": value, "maxResults": MAX_MATCHES}
            answer = _json(resolver, f"matches/byBinding?{urlencode(asked)}")
            leads += _leads(resolver, answer, binding)
    if resolver.send_picture and picture:
        url = _address(resolver.url, f"matches/byContent?maxResults={MAX_MATCHES}")
        fetched = resolver.fetcher.post(url, picture, media_type, JSON_KINDS)
        leads += _leads(resolver, _parsed(fetched.data), None)
    return tuple(leads)


def _leads(resolver: Resolver, answer: object, binding: SoftBindingValue | None) -> list[Lead]:
    return [
        Lead(match.manifest, _store(resolver, match), match.similarity, binding)
        for match in _matches(resolver, answer)
    ]


def _supported(resolver: Resolver) -> frozenset[str]:
    """Names of the algorithms that the resolver can look up."""
    answer = _json(resolver, "services/supportedAlgorithms")
    listed = [item for kind in ("watermarks", "fingerprints") for item in _list(answer, kind)]
    names = (item.get("alg") if isinstance(item, dict) else None for item in listed)
    return frozenset(name for name in names if isinstance(name, str))


def _matches(resolver: Resolver, answer: object) -> list[_Match]:
    found = []
    for item in _list(answer, "matches")[:MAX_MATCHES]:
        if not isinstance(item, dict):
            continue
        manifest = item.get("manifestId")
        if not isinstance(manifest, str) or not 0 < len(manifest) <= MAX_NAME:
            continue
        endpoint, score = item.get("endpoint"), item.get("similarityScore")
        found.append(
            _Match(
                manifest,
                endpoint if isinstance(endpoint, str) and endpoint else resolver.url,
                score if isinstance(score, int) and 0 <= score <= 100 else None,
            )
        )
    return found


def _store(resolver: Resolver, match: _Match) -> bytes:
    # A match may lie at another address; the fetcher checks that one as well.
    url = _address(match.endpoint, f"manifests/{quote(match.manifest, safe=':')}")
    return resolver.fetcher.get(url, STORE_KINDS).data


def _json(resolver: Resolver, path: str) -> object:
    return _parsed(resolver.fetcher.get(_address(resolver.url, path), JSON_KINDS).data)


def _parsed(data: bytes) -> object:
    try:
        answer: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FetchFailed("the resolver's answer is not JSON") from error
    return answer


def _address(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path}"


def _list(answer: object, key: str) -> list[object]:
    value = answer.get(key) if isinstance(answer, dict) else None
    return value if isinstance(value, list) else []
