"""QR and bar codes: what they say is writing, and where they lead is a fact."""

import hashlib
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

from guard.images.finding import Box, Finding, Subject, Writing
from guard.images.scale import reduced

MAX_SIDE: Final = 2048  # pixels; a code needs some 2 pixels a module, and cost grows with the area
CHECKED: Final = 1.0  # confidence: codes carry error correction or a check digit
_SCHEMES: Final = frozenset({"http", "https", "ftp"})


class Codes:
    """The part that reads codes. ``qr.host``: the hosts that their URLs name, space-separated.

    The host alone is a fact: the rest of a URL may hold somebody's personal data.
    """

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"zxing-cpp {version('zxing-cpp')} {MAX_SIDE}".encode()).hexdigest()

    def find(self, subject: Subject) -> Finding:
        import cv2
        import zxingcpp

        pixels, scale = reduced(subject.pixels, MAX_SIDE)
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        writings = []
        for code in zxingcpp.read_barcodes(grey):
            corners = (
                code.position.top_left,
                code.position.top_right,
                code.position.bottom_right,
                code.position.bottom_left,
            )
            box = Box.around([(c.x / scale, c.y / scale) for c in corners], subject.pixels)
            writings.append(Writing(code.text, box, "code", CHECKED))
        hosts = sorted({host for w in writings if (host := host_of(w.text))})
        return Finding(
            writings=tuple(writings),
            fields={"qr.present": bool(writings)} | ({"qr.host": " ".join(hosts)} if hosts else {}),
        )


def host_of(text: str) -> str | None:
    """The host that a URL names, in small letters; None for a text that is no web address."""
    address = text.strip()
    if address.lower().startswith("www."):
        address = f"https://{address}"
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:  # brackets that do not close, and the like
        return None
    return host if parts.scheme.lower() in _SCHEMES and host else None
