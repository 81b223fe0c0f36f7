"""Asks web sites, on request and politely, what they reserve, and records what they answer.

For each address that annotations name: the site's robots.txt, ai.txt and tdmrep.json, and the
headers that come with the picture (of a page also its beginning). robots.txt is obeyed for our own
agent, a host is asked one thing at a time with a pause between, a redirect is followed on the same
host alone, and no address that is not public is asked (``provenance.fetch``). The audit then works
from the record, in which every answer has its time and SHA-256; what could not be had stands there
with the reason, and says nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock
from typing import Final, Literal, NamedTuple
from urllib.parse import urljoin, urlsplit

import orjson

from datasets_audit.annotations import load_annotations
from datasets_audit.errors import OptOutsInvalid
from datasets_audit.robots import disallowed, rules_for
from datasets_audit.sources import open_source
from datasets_audit.sources.spool import Spool
from provenance.errors import AddressRefused, FetchFailed, OutputFailed
from provenance.fetch import Answer, Fetcher

AGENT: Final = "wardmark"
FILES: Final = ("robots.txt", "ai.txt", ".well-known/tdmrep.json")
MAX_BODY: Final = 500_000  # bytes of a body that are recorded (RFC 9309 asks for 500 kB)
MAX_REDIRECTS: Final = 5  # RFC 9309, 2.3.1.2
MAX_DELAY: Final = 60.0  # seconds; a site that asks for longer pauses is not asked further
MAX_FAILURES: Final = 3  # in a row; then a site is left alone
HOSTS_AT_ONCE: Final = 8
REFUSING: Final = (429, 503)  # statuses by which a site says that it has had enough
NO_HEAD: Final = (405, 501)  # statuses of who knows no HEAD

Progress = Callable[[int, int], None]
"""Called with addresses that are done, and how many there are."""


@dataclass(frozen=True)
class Manners:
    """How sites are asked. ``contact``: where their owners reach us, an address or e-mail.

    ``delay``: seconds between two requests to a host, or more where its robots.txt asks for more.
    ``per_host``: addresses that are asked of one host at most; the rest stays unasked.
    """

    contact: str
    delay: float = 1.0
    per_host: int = 1_000
    fetcher: Fetcher = field(default_factory=lambda: Fetcher(seconds=10.0, max_bytes=MAX_BODY))


class Asked(NamedTuple):
    """What became of the addresses. ``kept_out``: by robots.txt, or not asked for what
    they are; ``left``: beyond ``per_host``."""

    answered: int
    kept_out: int
    failed: int
    left: int

    @property
    def said(self) -> str:
        """In words."""
        return (
            f"Asked for {self.answered:,} addresses; {self.kept_out:,} were kept out by robots.txt "
            f"or refused, {self.failed:,} failed, {self.left:,} were too many for one host."
        )


class _HostGone(Exception):
    """The host has had enough of us, or there is none."""


def record_signals(
    addresses: Iterable[str],
    record: Path,
    manners: Manners,
    progress: Progress = lambda _done, _total: None,
) -> Asked:
    """Ask what ``record`` (JSON lines) does not hold yet, and append it there.

    ``addresses``: of pictures; what is no http or https address is passed over. Raises
    OptOutsInvalid: no contact, or ``record`` is none; OutputFailed.
    """
    if not manners.contact.strip() or not manners.contact.isprintable():
        raise OptOutsInvalid("Say how the owners of sites reach you: --contact ADDRESS.")
    agent = f"{AGENT} (data set audit; +{manners.contact})"
    kind = replace(manners, fetcher=replace(manners.fetcher, agent=agent))
    hosts = Spool(2)
    hosts.add(_new(addresses, _recorded(record)))
    stop = Event()
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("ab") as file:
            book = _Book(file.write, len(hosts), progress)
            groups = groupby(hosts.sorted(), itemgetter(0))
            with ThreadPoolExecutor(HOSTS_AT_ONCE) as pool:
                try:
                    # Some hosts at a time: the addresses of a host are held while it is asked.
                    while some := [_Host.of(rows, kind, book, stop)
                                   for _, rows in islice(groups, HOSTS_AT_ONCE)]:  # fmt: skip
                        for _ in pool.map(_Host.ask, some):
                            file.flush()
                finally:
                    stop.set()
    except OSError as error:
        raise OutputFailed(f"{record} cannot be written: {error.strerror}.") from error
    return book.asked()


def stated_addresses(source: Path | str, annotations: Path | None) -> Iterator[str]:
    """Every address that the annotations of a data set name as a source, its own or those given.

    Raises SourceInvalid, AnnotationsInvalid.
    """
    with TemporaryDirectory(prefix="wardmark-signals-") as name:
        said = annotations or open_source(source).annotations(Path(name))
        if said is not None:
            with load_annotations(said, Path(name)) as stated:
                yield from stated.source_urls()


def _new(addresses: Iterable[str], known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Host and address of those that can be asked and are not on record."""
    for url in addresses:
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and parts.hostname and url not in known:
            yield parts.hostname, url


def _recorded(record: Path) -> frozenset[str]:
    """Addresses that were answered; what failed is asked again."""
    if not record.exists():
        return frozenset()
    try:
        with record.open("rb") as file:
            rows = (orjson.loads(line) for line in file if line.strip())
            return frozenset(row["url"] for row in rows if "problem" not in row)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise OptOutsInvalid(f"{record} is no record of responses: {error}.") from error


class _Book:
    """The record, written by several threads."""

    def __init__(self, write: Callable[[bytes], object], total: int, progress: Progress) -> None:
        self._write = write
        self._total = total
        self._progress = progress
        self._turn = Lock()
        self._counts = {"answered": 0, "kept_out": 0, "failed": 0, "left": 0}

    def answer(self, url: str, got: Answer) -> None:
        """What ``url`` answered in the end, perhaps from elsewhere on its site."""
        body = got.body.decode("utf-8", "replace")
        row = {
            "url": url,
            "status": got.status,
            "headers": got.headers,
            "body": body,
            "sha256": sha256(body.encode()).hexdigest(),
        }
        self._line(row | ({"from": got.url} if got.url != url else {}))

    def problem(self, url: str, why: str) -> None:
        """Why nothing is known of ``url``."""
        self._line({"url": url, "problem": why})

    def count(self, what: str, number: int = 1) -> None:
        """Addresses that are done with."""
        with self._turn:
            self._counts[what] += number
            self._progress(sum(self._counts.values()), self._total)

    def asked(self) -> Asked:
        """What became of all of them."""
        return Asked(**self._counts)

    def _line(self, row: dict[str, object]) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._turn:
            self._write(orjson.dumps(row | {"asked_at": at}) + b"\n")


class _Host:
    """One host, which is asked one thing after the other, whatever its ports and schemes."""

    def __init__(
        self, urls: list[str], left: int, manners: Manners, book: _Book, stop: Event
    ) -> None:
        self._urls = urls
        self._left = left
        self._fetcher = manners.fetcher
        self._delay = self._pause = manners.delay
        self._book = book
        self._stop = stop
        self._next = 0.0
        self._robots = ""
        self._failures = 0

    @classmethod
    def of(
        cls,
        rows: Iterator[tuple[str, str]],
        manners: Manners,
        book: _Book,
        stop: Event,
    ) -> "_Host":
        """The host of ``rows``, of which ``per_host`` are asked."""
        urls = sorted({url for _, url in islice(rows, manners.per_host)})
        return cls(urls, sum(1 for _ in rows), manners, book, stop)

    def ask(self) -> None:
        """The files of each of its sites, and then the addresses there."""
        self._book.count("left", self._left)
        for site, of_site in groupby(self._urls, _site):
            urls = iter([*of_site])
            try:
                self._read_robots(site)
                for file in FILES[1:]:
                    with suppress(FetchFailed, AddressRefused):
                        self._one(f"{site}/{file}", file=True)
                for url in urls:
                    self._picture(url)
            except _HostGone as gone:
                for url in urls:
                    self._book.problem(url, str(gone))
                    self._book.count("failed")

    def _read_robots(self, site: str) -> None:
        address = f"{site}/{FILES[0]}"
        self._robots = ""
        try:
            got = self._one(address, file=True)
        except (FetchFailed, AddressRefused) as error:
            self._book.problem(address, str(error))
            raise _HostGone(f"its robots.txt cannot be had, so it is not asked: {error}") from error
        if got.status >= 500:  # RFC 9309, 2.3.1.4: then all is disallowed
            raise _HostGone(f"its robots.txt answers {got.status}, so it is not asked")
        self._robots = got.body.decode("utf-8", "replace") if got.status == 200 else ""
        wanted = rules_for(self._robots, AGENT).delay or 0.0
        if wanted > MAX_DELAY:
            raise _HostGone(f"it asks for pauses of {wanted:g} s, more than {MAX_DELAY:g}")
        self._pause = max(self._delay, wanted)

    def _picture(self, url: str) -> None:
        try:
            self._one(url, file=False)
        except AddressRefused as error:
            self._book.problem(url, str(error))
            self._book.count("kept_out")
        except FetchFailed as error:
            self._book.problem(url, str(error))
            self._book.count("failed")
            self._failures += 1
            if self._failures >= MAX_FAILURES:
                raise _HostGone(f"it failed {MAX_FAILURES} times in a row") from error
        else:
            self._book.count("answered")
            self._failures = 0

    def _one(self, url: str, *, file: bool) -> Answer:
        """The answer to ``url`` itself or to what it leads to on this host, recorded."""
        got = self._followed("GET" if file else "HEAD", url)
        kinds = [value.lower() for name, value in got.headers if name.lower() == "content-type"]
        page = any("html" in kind for kind in kinds)
        if not file and (got.status in NO_HEAD or (got.status == 200 and page)):
            got = self._followed("GET", got.url)
        # Of a picture the headers are recorded, and never the picture.
        self._book.answer(url, got if file or page else got._replace(body=b""))
        if got.status in REFUSING:
            self._book.count("answered", 0 if file else 1)
            raise _HostGone(f"it answers {got.status}, so it is left alone")
        return got

    def _followed(self, method: Literal["GET", "HEAD"], url: str) -> Answer:
        first = url
        for _ in range(MAX_REDIRECTS + 1):
            if self._robots and disallowed(self._robots, _path(url), (AGENT,)):
                raise AddressRefused("its robots.txt keeps our agent out")
            self._wait()
            got = self._fetcher.look(method, url)
            places = [value for name, value in got.headers if name.lower() == "location"]
            if not (300 <= got.status < 400 and places):
                return got
            url = urljoin(url, places[0])
            if urlsplit(url).hostname != urlsplit(first).hostname:
                raise AddressRefused("it leads to another host, which is not asked")
        raise FetchFailed(f"it redirects more than {MAX_REDIRECTS} times")

    def _wait(self) -> None:
        if self._stop.wait(max(0.0, self._next - time.monotonic())):
            raise _HostGone("the audit was stopped")
        self._next = time.monotonic() + self._pause


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
