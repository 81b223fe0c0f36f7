"""What a picture says of itself in XMP: ours is there once, and what others said stays."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.credential import sign_statements
from provenance.credential.manifest import Statements, statements
from provenance.credential.xmp import AIGC, IPTC, MAX_PACKET_BYTES, Labels, aigc_label, packet
from provenance.errors import PictureInvalid
from provenance.keys import create_development_signer, load_trust
from provenance.verify import Sources, verify
from provenance.verify.report import LineStatus
from tests.credential.scenery import claims, encoded

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAMERA = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def properties(xmp: bytes) -> list[tuple[str, str]]:
    """Every property in a packet, by its expanded name."""
    tree = ElementTree.fromstring(xmp)  # noqa: S314 - a test wrote it
    found = []
    for description in tree.iter(f"{{{RDF}}}Description"):
        found += list(description.attrib.items())
        found += [(child.tag, child.text or "") for child in description]
    return [(name, value) for name, value in found if name != f"{{{RDF}}}about"]


def theirs(inside: str = "", attributes: str = "") -> bytes:
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{IPTC}"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/" {attributes}>{inside}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


names = st.text(
    alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"]), max_size=60
)


@given(provider=names, system=names, version=names)
def test_any_name_comes_back_as_it_was(provider: str, system: str, version: str) -> None:
    labels = Labels(GENERATED, True, provider, system, version, "0123456789abcdef")
    found = dict(properties(packet(labels)))
    assert found[f"{{{IPTC}}}DigitalSourceType"] == GENERATED
    said = json.loads(found[f"{{{AIGC}}}AIGC"])
    assert (said["Label"], said["ContentProducer"]) == ("1", provider)
    assert said["ProduceID"] == "0123456789abcdef"


@pytest.mark.parametrize(
    "existing",
    [
        theirs(attributes=f'Iptc4xmpExt:DigitalSourceType="{CAMERA}" dc:rights="Theirs"'),
        theirs(attributes=f"Iptc4xmpExt:DigitalSourceType='{CAMERA}' dc:rights='Theirs'"),
        theirs(
            f"<Iptc4xmpExt:DigitalSourceType>{CAMERA}</Iptc4xmpExt:DigitalSourceType>"
            "<dc:rights>Theirs</dc:rights>"
        ),
        packet(Labels(CAMERA), theirs(attributes='dc:rights="Theirs"')),
    ],
)
def test_what_was_said_of_the_same_is_replaced(existing: bytes) -> None:
    said = properties(packet(Labels(GENERATED), existing))
    sources = [value for name, value in said if name.endswith("DigitalSourceType")]
    assert sources == [GENERATED]
    assert "Theirs" in [value for _, value in said]


@pytest.mark.parametrize(
    ("existing", "fields"),
    [
        (theirs(attributes="""T:AIGC='{"Label":"1"}' xmlns:T="x" """), {"Label": "1"}),
        (theirs(attributes='T:AIGC="{&quot;Label&quot;:&quot;2&quot;}"'), {"Label": "2"}),
        (theirs('<T:AIGC>{"AIGC": {"Label": "3"}}</T:AIGC>'), {"Label": "3"}),
        (theirs('<T:AIGC>{"Label": </T:AIGC>'), {}),
        (theirs("<T:AIGC></T:AIGC>"), {}),
        (theirs("<T:AIGC>[1]</T:AIGC>"), {}),
        (theirs(), None),
    ],
)
def test_a_label_of_generation_is_read_as_others_write_it(
    existing: bytes, fields: dict[str, str] | None
) -> None:
    assert aigc_label(existing) == fields


def test_the_line_of_chinas_standard_is_assessed(tmp_path: Path) -> None:
    signer, trust = create_development_signer(tmp_path), load_trust(tmp_path)

    def said(stated: Statements) -> tuple[LineStatus, str]:
        data = sign_statements(encoded(), "image/png", stated, signer).data
        report = verify(data, sources=Sources(trust=trust))
        return next((line.status, line.because) for line in report.legal if line.line == "CN-Z1")

    stated = statements(claims())
    assert said(stated)[0] is LineStatus.PASS
    assert said(replace(stated, labels=None)) == (
        LineStatus.FAIL,
        "no AIGC property was found in the file's metadata",
    )
    bare = Labels(GENERATED, generated=True, provider="P")
    assert said(replace(stated, labels=bare)) == (
        LineStatus.FAIL,
        "the AIGC property lacks ProduceID",
    )


def test_a_photograph_has_no_label_of_generation() -> None:
    assert b"TC260:AIGC=" not in packet(Labels(CAMERA, provider="P"))


@pytest.mark.parametrize("existing", [b"", b"<x/>", b"\xff\xfe<\0", theirs() + theirs()])
def test_metadata_that_cannot_be_read_are_not_thrown_away(existing: bytes) -> None:
    with pytest.raises(PictureInvalid, match="cannot be read"):
        packet(Labels(GENERATED), existing)


def test_metadata_that_are_too_long_are_refused() -> None:
    with pytest.raises(PictureInvalid, match="too long"):
        packet(Labels(GENERATED), b" " * (MAX_PACKET_BYTES + 1))
    with pytest.raises(PictureInvalid, match="too long"):
        packet(Labels(GENERATED), theirs(f"<!--{'x' * (MAX_PACKET_BYTES - 500)}-->"))


@pytest.mark.parametrize(
    "piece", [b"<a:AIGC>", b"<a:AIGC ", b" a:AIGC=", b" a:AIGC='", b"<a:AIGC></a:AIGC", b"a.a-"]
)
def test_hostile_metadata_cost_no_time(piece: bytes) -> None:
    """Looking through it again and again for each of its pieces would take half a minute."""
    with pytest.raises(PictureInvalid):
        packet(Labels(GENERATED), (piece * MAX_PACKET_BYTES)[:MAX_PACKET_BYTES])
