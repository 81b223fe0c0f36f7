"""Names that C2PA registers, and what a credential states beside them. Pure.

c2pa-rs 0.91.3 takes any name: a soft binding by an algorithm that nobody registered, a value in an
encoding that the specification does not have, a made-up kind of source. None of that makes a
credential false; a reader who relies on it should know.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files

from provenance.credential.reader import Reading

Json = Mapping[str, object]


def _names(file: str) -> frozenset[str]:
    lines = files("provenance.credential").joinpath(file).read_text("ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


SOFT_BINDING_ALGORITHMS = _names("soft_binding_algorithms.txt")
SOURCE_TYPES = _names("digital_source_types.txt")

UNREGISTERED_BINDING = "wardmark.softBinding.unregistered"
BINDING_FORM = "wardmark.softBinding.encoding"
UNKNOWN_SOURCE = "wardmark.digitalSourceType.unknown"


def notes_on_statements(reading: Reading) -> tuple[str, ...]:
    """Codes for what the active manifest states outside the registered names and encodings."""
    notes: set[str] = set()
    for label, said in reading.active.statements.items():
        kind = label.split("__", 1)[0]
        if kind == "c2pa.soft-binding" and isinstance(said, dict):
            notes.update(_notes_on_binding(said))
        if kind in ("c2pa.actions", "c2pa.actions.v2") and isinstance(said, dict):
            notes.update(_notes_on_actions(said))
    return tuple(sorted(notes))


def _notes_on_binding(said: Json) -> Iterator[str]:
    if said.get("alg") not in SOFT_BINDING_ALGORITHMS:
        yield UNREGISTERED_BINDING
    # The specification has bytes; c2pa-python writes and shows text (c2pa-rs issue 2689).
    if not all(isinstance(block.get("value"), bytes) for block in _maps(said.get("blocks"))):
        yield BINDING_FORM


def _notes_on_actions(said: Json) -> Iterator[str]:
    stated = [action.get("digitalSourceType") for action in _maps(said.get("actions"))]
    if any(source is not None and source not in SOURCE_TYPES for source in stated):
        yield UNKNOWN_SOURCE


def _maps(listed: object) -> list[Json]:
    items = listed if isinstance(listed, list) else []
    return [item if isinstance(item, dict) else {} for item in items]
