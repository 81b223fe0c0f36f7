"""The credentials that a ledger keeps, as the manifest repository of C2PA's soft bindings.

Algorithms: the watermark schemes that are read here, whose value is the payload (8 bytes, a content
id), and PDQ, whose value is the hash (32 bytes).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from guard.errors import InvalidRequest
from provenance.credential.cbor import Malformed
from provenance.credential.naming import NAME, content_id_in
from provenance.credential.reader import jumbf
from provenance.credential.writer.boxes import box
from provenance.errors import LedgerCorrupt
from provenance.fingerprint import BITS, MATCH_DISTANCE, MIN_QUALITY, distance, fingerprint
from provenance.picture import decode
from provenance.record import CONTENT_ID_BYTES, Record
from provenance.verify import RecordSource
from provenance.watermark import Scheme

PDQ: Final = "org.wardmark.pdq.1"
PDQ_BYTES: Final = BITS // 8


class Kept(NamedTuple):
    """A manifest that is kept. ``similarity``: 0..100, the share of the fingerprint's bits that are
    the same; None where no picture was compared."""

    manifest: str
    similarity: int | None


@dataclass(frozen=True)
class Repository:
    """Looks up; changes nothing. Everything raises LedgerUnavailable where it cannot be asked."""

    ledger: RecordSource
    schemes: Sequence[Scheme]

    @property
    def watermarks(self) -> tuple[str, ...]:
        """Names of the algorithms whose values can be asked for."""
        return tuple(
            scheme.alg for scheme in self.schemes if scheme.payload_bits == 8 * CONTENT_ID_BYTES
        )

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The same, of fingerprints."""
        return (PDQ,)

    def by_binding(self, alg: str, value: bytes) -> tuple[Kept, ...]:
        """What a soft binding leads to. Raises InvalidRequest for another algorithm, or a value
        that cannot be one of it."""
        if alg == PDQ:
            _check_length(alg, value, PDQ_BYTES)
            near = self.ledger.nearest_record(value.hex(), MATCH_DISTANCE)
            found = near if near and near[0].pdq_quality >= MIN_QUALITY else None
            return (_kept(found[0], found[1]),) if found else ()
        if alg not in self.watermarks:
            known = ", ".join((*self.watermarks, *self.fingerprints))
            raise InvalidRequest(f"alg {alg[:100]!r} is not kept here; ask for one of {known}")
        _check_length(alg, value, CONTENT_ID_BYTES)
        record = self._marked(alg, value)
        return (_kept(record),) if record else ()

    def by_content(self, data: bytes, alg: str | None = None) -> tuple[Kept, ...]:
        """What a picture file leads to, by its marks and its looks, the most alike first.

        ``alg``: the one algorithm to use. Raises PictureInvalid, PictureTooLarge, InvalidRequest.
        """
        if alg is not None and alg not in (*self.watermarks, *self.fingerprints):
            raise InvalidRequest(f"alg {alg[:100]!r} is not kept here; leave it out to use all")
        pixels = decode(data).pixels
        looks = fingerprint(pixels)
        records: dict[str, Record] = {}
        for scheme in self.schemes:
            if scheme.alg not in self.watermarks or alg not in (None, scheme.alg):
                continue
            mark = scheme.detect(pixels)
            record = self._marked(scheme.alg, mark.payload) if mark else None
            if record is not None:
                records[record.content_id] = record
        if alg in (None, PDQ) and looks.usable:
            near = self.ledger.nearest_record(looks.pdq, MATCH_DISTANCE)
            if near is not None and near[0].pdq_quality >= MIN_QUALITY:
                records[near[0].content_id] = near[0]
        kept = [_kept(record, distance(looks, record.pdq)) for record in records.values()]
        return tuple(sorted(kept, key=lambda item: -(item.similarity or 0)))

    def manifest(self, name: str, *, active_only: bool = False) -> bytes | None:
        """The manifest store of that name, or its active manifest alone; None where none is kept.

        Content ids are understood as well as the names that matches give. Raises LedgerCorrupt.
        """
        content_id = content_id_in(name) or name
        record = self.ledger.record_by_content_id(content_id)
        if record is None or name not in (manifest_id(record), record.content_id):
            return None
        return _active(record) if active_only else record.credential

    def _marked(self, alg: str, payload: bytes) -> Record | None:
        """The record that a payload leads to, if it was marked by that algorithm."""
        record = self.ledger.record_by_content_id(payload.hex())
        names = {scheme.name for scheme in self.schemes if scheme.alg == alg}
        return record if record is not None and record.watermark_scheme in names else None


def manifest_id(record: Record) -> str:
    """The name of the manifest that was made for a record; its content id where the manifest was
    named by others."""
    names = (name.decode("ascii") for name in NAME.findall(record.credential))
    return next((n for n in names if content_id_in(n) == record.content_id), record.content_id)


def _kept(record: Record, apart: int | None = None) -> Kept:
    similarity = None if apart is None else round(100 * (BITS - apart) / BITS)
    return Kept(manifest_id(record), similarity)


def _check_length(alg: str, value: bytes, wanted: int) -> None:
    if len(value) != wanted:
        raise InvalidRequest(f"a value of {alg} has {wanted} bytes, this one has {len(value)}")


def _active(record: Record) -> bytes:
    """A store of the active manifest, the last one (C2PA 2.2, section 10.3), alone."""
    data = record.credential
    try:
        root = jumbf.parse(data).root
    except Malformed as error:
        raise LedgerCorrupt(f"the credential of record {record.content_id} is damaged") from error
    described = data[root.start : root.start + int.from_bytes(data[root.start : root.start + 4])]
    active = root.children[-1]
    return box(b"jumb", described + box(b"jumb", data[active.start : active.end]))
