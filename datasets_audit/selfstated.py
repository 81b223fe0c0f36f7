"""What a picture file says of itself: that AI made it, that it must not be trained on, whose it is.

Read from a C2PA manifest store, XMP, IPTC-IIM and the text chunks of generators. Nothing is
verified: a file that says "do not train on me" is believed, since nobody gains by inventing it, and
one that says that AI made it is counted as saying so. Sources: C2PA 2.2 section 18.21 and CAWG
training and data mining 1.1; IPTC Photo Metadata 2025.1 (DigitalSourceType), PLUS LDF 2.0.1
(DataMining), GB 45438-2025 (AIGC), IIM 4.2 dataset 2:116.
"""

import html
import re
from dataclasses import dataclass
from typing import Any, Final

from provenance.credential.xmp import aigc_label

MAX_RIGHTS: Final = 300  # characters of a statement of rights that are kept
MAX_PACKET: Final = 1 << 20  # bytes of XMP that are looked at

_MADE_BY_AI: Final = re.compile(
    rb"(?:trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|algorithmicMedia)\b"
)
_MINING_LABEL: Final = re.compile(rb"(?:c2pa|cawg)\.training-mining")
_NO_MINING: Final = re.compile(rb"vocab/DMI-PROHIBITED")
_RIGHTS: Final = re.compile(
    rb"(?:<dc:rights\b[^>]*>.*?<rdf:li\b[^>]*>([^<]{1,2000})</rdf:li>"
    rb"|xmpRights:WebStatement\s*=\s*[\"']([^\"']{1,2000})[\"']"
    rb"|<xmpRights:WebStatement>([^<]{1,2000})<)",
    re.DOTALL,
)
_GENERATOR_CHUNKS: Final = (b"tEXtparameters\x00", b"tEXtprompt\x00", b"tEXtworkflow\x00",
                            b"tEXtDream\x00", b"tEXtinvokeai_metadata\x00")  # fmt: skip
_IIM_COPYRIGHT: Final = b"\x1c\x02\x74"  # marker, record 2, dataset 116


@dataclass(frozen=True, slots=True)
class SelfStated:
    """``synthetic``: it says that AI made it. ``no_training``: by which words it forbids training.

    ``rights``: its statement of rights, up to MAX_RIGHTS characters.
    """

    synthetic: bool = False
    no_training: str | None = None
    rights: str | None = None


NOTHING: Final = SelfStated()


def read_statements(data: bytes, store: bool) -> SelfStated:
    """What the file ``data`` says. ``store``: it holds a C2PA manifest store."""
    packet = _packet(data)
    synthetic = False
    no_training = None
    if store:
        synthetic = _MADE_BY_AI.search(data) is not None
        no_training = _training_mining(data)
    if packet:
        # GB 45438: 1 it is, 2 it may be, 3 it is suspected to be
        label = aigc_label(packet)
        synthetic = synthetic or label is not None or _MADE_BY_AI.search(packet) is not None
        if no_training is None and _NO_MINING.search(packet):
            no_training = "plus:DataMining"
    head = data[:4096]
    synthetic = synthetic or any(chunk in head for chunk in _GENERATOR_CHUNKS)
    rights = _rights(packet, data)
    if not (synthetic or no_training or rights):
        return NOTHING
    return SelfStated(synthetic, no_training, rights)


def _packet(data: bytes) -> bytes:
    start = data.find(b"<x:xmpmeta")
    if start < 0:
        return b""
    end = data.find(b"</x:xmpmeta>", start, start + MAX_PACKET)
    return data[start:end] if end > 0 else b""


def _training_mining(data: bytes) -> str | None:
    """The label of an assertion that forbids training, None if none does."""
    import cbor2

    for label in _MINING_LABEL.finditer(data):
        box = data.find(b"cbor", label.end(), label.end() + 256)
        if box < 0:
            continue
        try:
            entries: Any = cbor2.loads(data[box + 4 : box + 4 + 65_536])
        except (cbor2.CBORDecodeError, ValueError):
            continue
        said = entries.get("entries") if isinstance(entries, dict) else None
        for use, value in said.items() if isinstance(said, dict) else ():
            limited = isinstance(value, dict) and value.get("use") in ("notAllowed", "constrained")
            if limited and ("train" in str(use) or "mining" in str(use)):
                return label[0].decode()
    return None


def _rights(packet: bytes, data: bytes) -> str | None:
    if found := _RIGHTS.search(packet):
        raw = next(group for group in found.groups() if group is not None)
        return _text(html.unescape(raw.decode("utf-8", "replace")))
    at = data.find(b"Photoshop 3.0\x00", 0, 65_536)
    if at >= 0:
        at = data.find(_IIM_COPYRIGHT, at, at + 65_536)
    if at < 0:
        return None
    length = int.from_bytes(data[at + 3 : at + 5])
    return _text(data[at + 5 : at + 5 + min(length, MAX_RIGHTS)].decode("utf-8", "replace"))


def _text(said: str) -> str | None:
    plain = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return plain[:MAX_RIGHTS] or None
