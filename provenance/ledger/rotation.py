"""Key rotation: one key hands the ledger over to the next, and each speaks for its own time.

A rotation is an event ``key.rotated`` whose body holds a *statement*, a signed note:

    wardmark.org/key-rotation/v1
    example.com/log                     the ledger's name, which both keys bear
    1207                                the old key signs up to this size, the event included
    example.com/log+hash+base64         the old key
    example.com/log+hash+base64         the new key

Both keys sign it: the old one appoints, the new one accepts what was signed before. So whoever
trusts one key of a ledger, be it the first or the last, learns of the others from the statements.

Pure: statements in, keys out.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from provenance.errors import KeyOutdated, ProofInvalid
from provenance.ledger import note as notes
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.key import LedgerKey
from provenance.ledger.note import Note, VerifierKey

KIND = "key.rotated"
FIELD = "statement"  # of the event's body
_TITLE = "wardmark.org/key-rotation/v1"
_SIZE = re.compile(r"[1-9][0-9]{0,18}")


class Rotation(NamedTuple):
    """``old`` signs checkpoints of up to ``size`` entries, ``new`` all later ones."""

    size: int
    old: VerifierKey
    new: VerifierKey
    statement: str

    @classmethod
    def sign(cls, size: int, old: LedgerKey, new: LedgerKey) -> "Rotation":
        """Hand over from ``old`` to ``new``. Raises ``ProofInvalid`` for keys of two names."""
        if old.public.name != new.public.name or old.public == new.public:
            raise ProofInvalid(
                f"A key of {old.public.name} is followed by another one of the same name."
            )
        text = f"{_TITLE}\n{old.public.name}\n{size}\n{old.verifier}\n{new.verifier}\n"
        statement = notes.render(text, (old.sign(text), new.sign(text)))
        return cls(size, old.public, new.public, statement)

    @classmethod
    def verified(cls, statement: str) -> "Rotation":
        """Read a statement that both of its keys signed. Raises ``ProofInvalid``."""
        note = notes.parse(statement)
        lines = note.text.split("\n")
        if len(lines) != 6 or lines[0] != _TITLE or not _SIZE.fullmatch(lines[2]):
            raise ProofInvalid("This is no statement of a key's rotation.")
        old, new = VerifierKey.parse(lines[3]), VerifierKey.parse(lines[4])
        if not lines[1] == old.name == new.name:
            raise ProofInvalid("A rotation names keys of another ledger.")
        old.check(note)
        new.check(note)
        return cls(int(lines[2]), old, new, statement)


class KeyHistory(NamedTuple):
    """The keys of one ledger, oldest first, and the rotations between them. A ``Verifier``."""

    keys: tuple[VerifierKey, ...]
    rotations: tuple[Rotation, ...]

    @classmethod
    def of(cls, trusted: VerifierKey, statements: Iterable[str]) -> "KeyHistory":
        """What follows from trusting one key. Statements that do not verify are passed over."""
        found = []
        for statement in statements:
            try:
                found.append(Rotation.verified(statement))
            except ProofInvalid:
                continue
        found.sort(key=lambda rotation: rotation.size)
        later: list[Rotation] = []
        key, size = trusted, 0
        for rotation in found:  # of two that an old key signed, the earlier one ended its time
            if rotation.old == key and rotation.size > size:
                later.append(rotation)
                key, size = rotation.new, rotation.size
        earlier: list[Rotation] = []
        key, size = trusted, later[0].size if later else 1 << 63
        for rotation in reversed(found):
            if rotation.new == key and rotation.size < size:
                earlier.append(rotation)
                key, size = rotation.old, rotation.size
        rotations = (*reversed(earlier), *later)
        first = rotations[0].old if rotations else trusted
        return cls((first, *(rotation.new for rotation in rotations)), rotations)

    @property
    def name(self) -> str:
        """The name of the ledger, which all its keys bear."""
        return self.keys[0].name

    def at(self, size: int) -> VerifierKey:
        """The key that signs a checkpoint of ``size`` entries."""
        return self.keys[sum(rotation.size < size for rotation in self.rotations)]

    def check(self, note: Note) -> None:
        """Check that the key of its time signed a checkpoint.

        Raises ``ProofInvalid``, and of its kinds ``KeyOutdated`` for a key that had been replaced.
        """
        size = Checkpoint.size_in(note)
        right = self.at(size)
        try:
            right.check(note)
        except ProofInvalid:
            for rotation in self.rotations:
                if rotation.size < size and _signs(rotation.old, note):
                    raise KeyOutdated(
                        f"It is signed with the key {rotation.old.key_id.hex()}, which was "
                        f"replaced at {rotation.size} entries. Somebody still has the old key."
                    ) from None
            raise


def _signs(key: VerifierKey, note: Note) -> bool:
    try:
        key.check(note)
    except ProofInvalid:
        return False
    return True
