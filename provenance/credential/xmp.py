"""What a picture says of itself in XMP, for readers that know nothing of C2PA. Pure.

It is written before the signature, which covers it. Sources: IPTC Photo Metadata Standard 2025.1
(DigitalSourceType, AISystemUsed, AISystemVersionUsed); GB 45438-2025 (``AIGC``); XMP part 1 (ISO
16684-1).
"""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from provenance.errors import PictureInvalid

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
AIGC = "http://www.tc260.org.cn/ns/AIGC/1.0/"
IS_GENERATED = "1"  # GB 45438-2025: 1 it is, 2 it may be, 3 it is suspected to be
MAX_PACKET_BYTES = 60_000  # a JPEG segment holds 65,533

_OURS = rb"[\w.-]+:(?:DigitalSourceType|AISystemUsed|AISystemVersionUsed|AIGC)"
_ATTRIBUTE = re.compile(rb"\s" + _OURS + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_ELEMENT = re.compile(rb"<(" + _OURS + rb")(?:\s[^<>]*)?(?:/>|(?<!/)>[^<]*</\1\s*>)")
_AIGC = re.compile(
    rb"[\w.-]+:AIGC\s*=\s*(?:\"([^\"]*)\"|'([^']*)')|<[\w.-]+:AIGC(?:\s[^<>]*)?>([^<]*)</"
)
_RDF_ENDS = re.compile(rb"</([\w.-]+:)?RDF\s*>")


@dataclass(frozen=True)
class Labels:
    """What is said: public words of a provider, never of a person.

    ``source_type``: IPTC digital source type. ``generated``: GB 45438 wants its label.
    ``content_id``: 16 hex digits, or None.
    """

    source_type: str
    generated: bool = False
    provider: str = ""
    system: str = ""
    version: str = ""
    content_id: str | None = None

    @property
    def properties(self) -> Mapping[str, str]:
        """XMP properties by qualified name; those without a value are left out."""
        aigc = {
            "Label": IS_GENERATED,
            "ContentProducer": self.provider,
            "ProduceID": self.content_id or "",
            "ReservedCode1": "",
            "ContentPropagator": "",
            "PropagateID": "",
            "ReservedCode2": "",
        }
        said = {
            "Iptc4xmpExt:DigitalSourceType": self.source_type,
            "Iptc4xmpExt:AISystemUsed": self.system if self.generated else "",
            "Iptc4xmpExt:AISystemVersionUsed": self.version if self.generated else "",
            "TC260:AIGC": json.dumps(aigc, ensure_ascii=False) if self.generated else "",
        }
        return {name: value for name, value in said.items() if value}


def packet(labels: Labels, existing: bytes | None = None) -> bytes:
    """An XMP packet with ``labels``, and with what ``existing`` says of other things.

    Raises PictureInvalid where the existing packet is not XMP in UTF-8, or is too long with ours.
    """
    description = _description(labels)
    if existing is None:
        made = (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f"{description}</rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
        ).encode()
    else:
        if len(existing) > MAX_PACKET_BYTES:
            raise PictureInvalid("its XMP metadata are too long to add to; shorten or remove them")
        kept = _ELEMENT.sub(b"", _ATTRIBUTE.sub(b"", existing))
        ends = list(_RDF_ENDS.finditer(kept))
        if len(ends) != 1:
            raise PictureInvalid("its XMP metadata cannot be read; remove them, or export it again")
        at = ends[0].start()
        made = kept[:at] + description.encode() + kept[at:]
    if len(made) > MAX_PACKET_BYTES:
        raise PictureInvalid("its XMP metadata are too long with ours; shorten or remove them")
    return made


def aigc_label(packet: bytes) -> Mapping[str, object] | None:
    """The fields of a packet's ``AIGC`` label, whoever wrote it; empty where they cannot be read,
    None where there is no label."""
    found = _AIGC.search(packet)
    if found is None:
        return None
    try:
        fields = json.loads(html.unescape(next(t for t in found.groups() if t).decode()))
    except (StopIteration, UnicodeDecodeError, ValueError, RecursionError):
        return {}
    inner = fields.get("AIGC", fields) if isinstance(fields, dict) else {}
    return inner if isinstance(inner, dict) else {}


def _description(labels: Labels) -> str:
    said = " ".join(f"{name}={quoteattr(value)}" for name, value in labels.properties.items())
    # The namespace of RDF is named again: an existing packet may have another prefix for it.
    return (
        '<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about=""'
        f' xmlns:Iptc4xmpExt="{IPTC}" xmlns:TC260="{AIGC}" {said}/>'
    )
