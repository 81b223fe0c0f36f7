"""Witnesses: somebody else who remembers how long the ledger was and what its root was.

A witness keeps one checkpoint of each ledger, the latest that it cosigned, and cosigns another only
if that extends the one it keeps. A ledger that is rewound or forked finds its witness in the way.

``FileWitness`` keeps its state in a folder, which is only worth something where the operator of the
ledger cannot rewrite it: another account, another machine, a medium that is written once. Served
over HTTP (``witness_server``) it is a witness of C2SP tlog-witness.

    DIR/
      witness.key  witness.pub    its own key
      logs/ORIGIN/keys            verifier keys of one ledger, oldest first (ORIGIN is URL-quoted)
      logs/ORIGIN/checkpoint      the note that was cosigned last, with the cosignature
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from provenance.errors import LogUnknown, OutputFailed, ProofInvalid, WitnessUnavailable
from provenance.ledger import note as notes
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.cosignature import Cosignature, WitnessKey, WitnessVerifier
from provenance.ledger.note import VerifierKey
from provenance.ledger.submission import Submission, judge
from provenance.picture import write_atomically

KEY_FILE = "witness.key"
_MAX_FOLDER_NAME = 255  # bytes, of the common file systems


class Witness(Protocol):
    """Whoever cosigns checkpoints."""

    @property
    def verifier(self) -> WitnessVerifier:
        """The key under which it cosigns."""
        ...

    def add_checkpoint(self, submission: Submission) -> Cosignature:
        """Cosign a checkpoint that extends the last one. Raises ``WitnessRefused``, by its
        subclasses why; ``WitnessUnavailable``; ``ProofInvalid`` when what it signed is wrong."""
        ...


class FileWitness:
    """A witness whose state is a folder. Safe for threads and processes that share the folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Open one that ``create`` made. Raises ``LedgerKeyInvalid``."""
        self._folder = folder
        self._clock = clock
        self._key = WitnessKey.load(folder / KEY_FILE)

    @classmethod
    def create(cls, folder: Path, name: str) -> "FileWitness":
        """Make a witness. Raises ``LedgerKeyInvalid``, ``WitnessUnavailable``."""
        try:
            (folder / "logs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WitnessUnavailable(f"{folder} cannot be made: {error.strerror}.") from error
        WitnessKey.create(folder / KEY_FILE, name)
        return cls(folder)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether a witness lives in ``folder``."""
        return (folder / KEY_FILE).is_file()

    @property
    def verifier(self) -> WitnessVerifier:
        """The key under which it cosigns."""
        return self._key.public

    def trust(self, key: VerifierKey) -> None:
        """Witness the ledger of ``key`` from now on, or accept a newer key of it.

        Trusting a key twice changes nothing. Raises ``WitnessUnavailable``.
        """
        place = log_folder(self._folder, key.name)
        try:
            place.mkdir(parents=True, exist_ok=True)
            with self._alone():
                known = self._keys(key.name) if (place / "keys").exists() else []
                if key not in known:
                    lines = "".join(f"{k}\n" for k in [*known, key])
                    write_atomically(place / "keys", lines.encode())
        except (OSError, OutputFailed) as error:
            raise WitnessUnavailable(f"{place} cannot be written: {error}.") from error

    def add_checkpoint(self, submission: Submission) -> Cosignature:
        """Cosign; what was cosigned is on the disk before this returns.

        Raises ``WitnessRefused`` and ``WitnessUnavailable``.
        """
        try:
            origin = Checkpoint.parse(submission.note).origin
        except ProofInvalid:
            origin = ""  # judge says what is wrong with it
        # Judging and keeping must be one step, or two requests at once could rewind the state.
        with self._alone():
            keys = self._keys(origin) if origin else []
            place = log_folder(self._folder, origin)
            head = judge(submission, _read_note(place / "checkpoint"), keys)
            text = notes.parse(head.note)
            cosignature = self._key.cosign(text.text, int(self._clock()))
            own = {(key.name, key.key_id) for key in keys}
            kept = tuple(s for s in text.signatures if (s.name, s.key_id) in own)
            note = notes.render(text.text, (*kept, cosignature.line))
            try:
                write_atomically(place / "checkpoint", note.encode())
            except OutputFailed as error:
                raise WitnessUnavailable(f"The witness cannot keep its state: {error}") from error
        return cosignature

    def _keys(self, origin: str) -> list[VerifierKey]:
        try:
            lines = (log_folder(self._folder, origin) / "keys").read_text(encoding="utf-8")
            return [VerifierKey.parse(line) for line in lines.splitlines()]
        except FileNotFoundError:
            raise LogUnknown(
                f"This witness was not told of {origin}; its operator runs: "
                "wardmark ledger witness --file DIR --trust KEY"
            ) from None
        except (OSError, UnicodeDecodeError, ProofInvalid) as error:
            raise WitnessUnavailable(f"The keys of {origin} cannot be read: {error}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with (self._folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed
                yield
        except OSError as error:
            raise WitnessUnavailable(f"The witness's folder cannot be used: {error}.") from error


def log_folder(folder: Path, origin: str) -> Path:
    """Where a witness keeps what it knows of one ledger. Raises ``LogUnknown``."""
    name = quote(origin, safe="")
    if len(name) > _MAX_FOLDER_NAME or name in (".", ".."):
        raise LogUnknown("A witness cannot keep a ledger of this name; choose another one.")
    return folder / "logs" / name


def kept_checkpoint(path: Path, origin: str) -> str:
    """The note that a witness kept: ``path`` is its folder, or a file with a checkpoint.

    Raises ``LogUnknown`` when the witness has seen nothing of ``origin``, ``WitnessUnavailable``.
    """
    note = _read_note(log_folder(path, origin) / "checkpoint" if path.is_dir() else path)
    if note is None:
        raise LogUnknown(
            f"{path} holds no checkpoint of {origin}; ask for one with: "
            f"wardmark ledger cosign --witness {path}"
        )
    return note


def _read_note(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise WitnessUnavailable(f"The checkpoint {path} cannot be read: {error}.") from error
