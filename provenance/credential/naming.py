"""Names of manifests: UUIDs (RFC 9562, version 4) that lead from a credential to its record.

Of the 122 free bits 64 are the content id and 58 are drawn, so that a name is never given twice,
and whoever has the name of a manifest (C2PA Soft Binding Resolution API) finds its record without
a table of names.
"""

import re
import secrets
from typing import Final
from uuid import UUID

PREFIX: Final = "urn:c2pa:"  # C2PA 2.2, section 8.2
NAME = re.compile(rb"urn:c2pa:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def manifest_name(content_id: str) -> str:
    """A new name for a manifest of the picture with ``content_id`` (16 hex digits)."""
    known, drawn = bytes.fromhex(content_id), secrets.token_bytes(8)
    # Bytes 6 and 8 tell the version and the variant, so the content id keeps clear of them.
    return PREFIX + str(UUID(bytes=known[:6] + drawn[:4] + known[6:] + drawn[4:], version=4))


def content_id_in(name: str) -> str | None:
    """The content id that a name of ``manifest_name`` holds; of other names, 16 digits that mean
    nothing. None where it is no such URN."""
    if NAME.fullmatch(name.encode(errors="replace")) is None:
        return None
    held = UUID(name.removeprefix(PREFIX)).bytes
    return (held[:6] + held[10:12]).hex()
