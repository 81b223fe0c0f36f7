"""Errors of the provenance wing. Exit code / HTTP status in the drawing.

    WardmarkError (policies.errors)
    ├── WrongUse
    │   ├── PictureInvalid        4 / 400   not a picture, truncated, or of a kind we do not read
    │   ├── PictureTooLarge       4 / 413   refused before decoding
    │   ├── AddressRefused        2 / 400   an address that is not asked: not public, not http(s)
    │   ├── FetchFailed           4 / 422   what lies at an address cannot be had within the limits
    │   ├── MarkInvalid           2 / 400   payload or picture unfit for the watermark scheme
    │   ├── StatementsInvalid     2 / 422   what a credential was to state cannot be stated
    │   ├── HomeInvalid           2 / 500   a home that is missing, or already there
    │   ├── LedgerEntryNotFound   2 / 404
    │   ├── EventInvalid          2 / 422   a body that may not or cannot stand in the ledger
    │   ├── EventConflict         2 / 409   one id for two different events
    │   ├── LedgerOccupied        2 / 409   a copy into a ledger that has entries of its own
    │   ├── ImportRefused         2 / 409   an export that does not carry a mirror on
    │   ├── ProofInvalid          1 / 422   a proof, note or export that does not verify
    │   │   └── KeyOutdated               a checkpoint by a key that had been replaced
    │   ├── HistoryContradicted   1 / 409   a witness or mirror holds another or a longer history
    │   ├── WitnessRefused        1 / 422   a witness does not cosign: the proof does not hold
    │   │   ├── SubmissionInvalid 1 / 400   the request itself is malformed
    │   │   ├── LogUnknown        1 / 404   the witness was not told of this ledger
    │   │   ├── LogUntrusted      1 / 403   not signed by a key that the witness trusts
    │   │   └── WitnessElsewhere  1 / 409   its last checkpoint has another size (``size``) or root
    │   ├── SubjectForgotten      2 / 410   a person's data whose key was destroyed
    │   ├── KeyCopyRefused        2 / 409   a copy of subjects' keys that would bring somebody back
    │   └── RetentionInvalid      2 / 422   a plan that does not say how long a kind is kept
    └── Unavailable
        └── ProvenanceUnavailable 4 / 503   no picture may be delivered
            ├── WatermarkFailed
            ├── MarkKeyInvalid              a file of mark keys that is missing, open or wrong
            ├── SignerUnavailable
            ├── LedgerUnavailable
            │   ├── LedgerKeyInvalid        a key file that is missing, readable by others or wrong
            │   └── WitnessUnavailable      it cannot be reached, or its files cannot be used
            ├── LedgerCorrupt               what is stored does not match its proof
            └── OutputFailed                the file could not be written whole
"""

from policies.errors import Unavailable, WrongUse


class PictureInvalid(WrongUse):
    """The bytes are not a picture that can be read."""

    exit_code = 4
    code = "invalid_image"


class PictureTooLarge(WrongUse):
    """The header declares more pixels or bytes than the limit."""

    exit_code = 4
    http_status = 413
    code = "image_too_large"


class AddressRefused(WrongUse):
    """A web address that leads into a private network, or is of a form that is not fetched."""

    code = "address_refused"


class FetchFailed(WrongUse):
    """No whole answer of an accepted kind came from an address within the limits."""

    exit_code = 4
    http_status = 422
    code = "fetch_failed"


class MarkInvalid(WrongUse):
    """A payload of the wrong length, an unknown scheme, or a picture the scheme cannot mark."""

    code = "invalid_mark"


class StatementsInvalid(WrongUse):
    """A manifest definition that does not parse, or states what only the signer can."""

    http_status = 422
    code = "statements_invalid"


class HomeInvalid(WrongUse):
    """The home directory is missing, incomplete or already made."""

    http_status = 500
    code = "home_invalid"


class LedgerEntryNotFound(WrongUse):
    """No event of that id."""

    http_status = 404
    code = "ledger_entry_not_found"


class EventInvalid(WrongUse):
    """An event that is malformed, too large, or would put personal data into the ledger."""

    http_status = 422
    code = "event_invalid"


class EventConflict(WrongUse):
    """An id that already names another event."""

    http_status = 409
    code = "event_conflict"


class LedgerOccupied(WrongUse):
    """A ledger that was to be copied into has entries already."""

    http_status = 409
    code = "ledger_occupied"


class ImportRefused(WrongUse):
    """An export that does not begin where a mirror ends, is not whole, or not for a mirror."""

    http_status = 409
    code = "import_refused"


class ProofInvalid(WrongUse):
    """What was to be proved is not: the message names the step that fails."""

    exit_code = 1
    http_status = 422
    code = "proof_invalid"


class KeyOutdated(ProofInvalid):
    """A checkpoint that is signed with a key of the ledger whose time had ended."""


class HistoryContradicted(WrongUse):
    """A witness or mirror holds what this ledger does not lead to: it was rewound or forked."""

    exit_code = 1
    http_status = 409
    code = "ledger_history_contradicted"


class WitnessRefused(WrongUse):
    """A witness does not cosign: the new checkpoint is not consistent with what it has seen."""

    exit_code = 1
    http_status = 422
    code = "witness_refused"


class SubmissionInvalid(WitnessRefused):
    """What was sent to a witness does not follow C2SP tlog-witness."""

    http_status = 400
    code = "submission_invalid"


class LogUnknown(WitnessRefused):
    """The witness was not told of this ledger."""

    http_status = 404
    code = "log_unknown"


class LogUntrusted(WitnessRefused):
    """The checkpoint is not signed by a key that the witness trusts for this ledger."""

    http_status = 403
    code = "log_untrusted"


class WitnessElsewhere(WitnessRefused):
    """The witness last cosigned a checkpoint of ``size`` entries, from which nothing was proved."""

    http_status = 409
    code = "witness_elsewhere"

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class SubjectForgotten(WrongUse):
    """A person's data was asked for or added to after its key was destroyed."""

    http_status = 410
    code = "subject_forgotten"


class KeyCopyRefused(WrongUse):
    """A copy of the keys of subjects is expired, older than a withdrawal, or not wanted here."""

    http_status = 409
    code = "key_copy_refused"


class RetentionInvalid(WrongUse):
    """A retention plan that does not parse, or a kind of event that it does not name."""

    http_status = 422
    code = "retention_invalid"


class ProvenanceUnavailable(Unavailable):
    """A mark, a credential or a record could not be made, so nothing may leave."""

    code = "provenance_unavailable"


class WatermarkFailed(ProvenanceUnavailable):
    """The mark could not be written, or could not be read back."""


class MarkKeyInvalid(ProvenanceUnavailable):
    """The keys of watermarks are missing, damaged, or open to others."""


class SignerUnavailable(ProvenanceUnavailable):
    """No usable key or certificate, or signing failed."""


class LedgerUnavailable(ProvenanceUnavailable):
    """The database cannot be reached or written."""


class LedgerKeyInvalid(LedgerUnavailable):
    """A key of the ledger is missing, not its own, or open to others."""


class WitnessUnavailable(LedgerUnavailable):
    """A witness cannot be reached, answers nonsense, or its files cannot be read or written."""


class LedgerCorrupt(ProvenanceUnavailable):
    """A stored row, tile or checkpoint does not match its proof."""


class OutputFailed(ProvenanceUnavailable):
    """A file could not be written whole; nothing half-written was left."""

    code = "output_failed"
