"""Who reserved their rights: opt-out lists, what files say, and recorded responses of web sites.

Nothing is fetched here. The order in which signals are looked at, and which is named as the reason:

    1  opt-out lists: sha256, pdq, url, domain
    2  the file itself: C2PA training-mining, plus:DataMining
    3  X-Robots-Tag of the file's or page's response: noai, noimageai
    4  TDMRep: header, else HTML meta, else /.well-known/tdmrep.json (the first that speaks decides)
    5  HTML meta robots: noai, noimageai
    6  /ai.txt
    7  /robots.txt, for the agents that collect for training

Any one of 1 to 7 is enough: what one of them allows does not lift what another reserves. Names of
headers, directives and agents are compared without case; what cannot be read reserves nothing and
is said. Sources: TDMRep (W3C CG final report 2024-02), RFC 9309, Spawning ai.txt.
"""

import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from datasets_audit.robots import disallowed, matches

AGENTS: Final = (
    "ai2bot", "amazonbot", "anthropic-ai", "applebot-extended", "bytespider", "ccbot", "claudebot",
    "cohere-ai", "diffbot", "facebookbot", "google-extended", "gptbot", "img2dataset",
    "meta-externalagent", "omgili", "pangubot",
)  # fmt: skip
"""Agents that say they collect for training, lower case."""

NO_AI: Final = frozenset({"noai", "noimageai"})
TDM: Final = "tdm-reservation"
MAX_BODY: Final = 500_000  # characters of a body that are read (RFC 9309 asks for 500 kB)


class Response(NamedTuple):
    """One recorded answer. ``headers``: (name, value) as they came, names repeated or not."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def header(self, name: str) -> list[str]:
        """All values of a header, its name compared without case."""
        return [value for given, value in self.headers if given.lower() == name]


def reserved_by(url: str, responses: Mapping[str, Response]) -> str | None:
    """The signal by which the recorded ``responses`` reserve rights on ``url``, None if none does.

    ``responses``: by address, those of the site's files among them.
    """
    parts = urlsplit(url)
    site = f"{parts.scheme}://{parts.netloc}"
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    own = responses.get(url)
    page = _Page.of(own)
    if own and NO_AI & set(_directives(own.header("x-robots-tag"))):
        return "x-robots-tag"
    tdm = _tdm(own, page, _body(responses, f"{site}/.well-known/tdmrep.json"), path)
    if tdm is not None:
        return tdm
    if NO_AI & set(_directives(page.robots)):
        return "html-robots"
    if disallowed(_body(responses, f"{site}/ai.txt"), path, ("*", *AGENTS)):
        return "ai.txt"
    if disallowed(_body(responses, f"{site}/robots.txt"), path, AGENTS):
        return "robots.txt"
    return None


def asked_of(url: str, responses: Mapping[str, Response]) -> bool:
    """Whether any recorded response speaks of ``url`` or of its site."""
    parts = urlsplit(url)
    site = f"{parts.scheme}://{parts.netloc}"
    files = ("robots.txt", "ai.txt", ".well-known/tdmrep.json")
    return url in responses or any(f"{site}/{file}" in responses for file in files)


def _body(responses: Mapping[str, Response], url: str) -> str:
    """A file of the site, empty where it is not there (RFC 9309, 2.3.1.3: then all is allowed)."""
    found = responses.get(url)
    return found.body[:MAX_BODY] if found and found.status == 200 else ""


def _directives(values: Sequence[str]) -> list[str]:
    """``GPTBot: noai, NoImageAI`` -> [noai, noimageai], whomever they are for."""
    parts = [part for value in values for part in value.split(",")]
    return [part.rsplit(":", 1)[-1].strip().lower() for part in parts]


def _tdm(own: Response | None, page: "_Page", file: str, path: str) -> str | None:
    """TDMRep: the header decides, else the page, else the file (section 4 of the report)."""
    for said, signal in (
        (own.header(TDM) if own else [], "tdm-header"),
        (page.tdm, "tdm-html"),
        (_tdm_file(file, path), "tdmrep.json"),
    ):
        if said:
            return signal if said[-1].strip() == "1" else None
    return None


def _tdm_file(text: str, path: str) -> list[str]:
    try:
        rules = json.loads(text) if text else []
    except ValueError:
        return []
    best, said = -1, []
    for rule in rules if isinstance(rules, list) else ():
        named = {str(k).lower(): v for k, v in rule.items()} if isinstance(rule, dict) else {}
        location = str(named.get("location", ""))
        if TDM in named and location and len(location) > best and matches(location, path):
            best, said = len(location), [str(int(named[TDM] in (1, "1", True)))]
    return said


class _Page(HTMLParser):
    """The meta elements of a recorded page."""

    def __init__(self) -> None:
        super().__init__()
        self.tdm: list[str] = []
        self.robots: list[str] = []

    @classmethod
    def of(cls, response: Response | None) -> "_Page":
        page = cls()
        if response and any("html" in kind.lower() for kind in response.header("content-type")):
            page.feed(response.body[:MAX_BODY])
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): value or "" for name, value in attrs}
        name = given.get("name", "").lower()
        if tag != "meta":
            return
        if name == TDM:
            self.tdm.append(given.get("content", ""))
        elif name == "robots" or name in AGENTS:
            self.robots.append(given.get("content", ""))
