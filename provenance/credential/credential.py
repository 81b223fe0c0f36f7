"""What was found of a credential: the values that ``read`` and ``check_store`` answer with."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from policies.decision import Frozen


class State(StrEnum):
    """How far a credential can be believed.

    trusted: signature and statements hold, and the signer's chain ends at an anchor of ours.
    valid: they hold, but nobody whom we trust vouches for the signer. invalid: something does not
    hold (``codes.failure`` says what). absent: there is none. unreadable: there is something that
    cannot be read as a credential, or that lies at an address which is not fetched.
    """

    TRUSTED = "trusted"
    VALID = "valid"
    INVALID = "invalid"
    ABSENT = "absent"
    UNREADABLE = "unreadable"


class Integrity(StrEnum):
    """Does the file still have the bytes that were signed?

    partial: those that were covered, yes, but the signer left out more than the credential itself.
    """

    INTACT = "intact"
    BROKEN = "broken"
    PARTIAL = "partial"
    NOT_CHECKED = "not-checked"


class Revocation(StrEnum):
    """not-checked unless an OCSP answer came with the credential, or the authority was to be asked;
    unavailable: it was to be asked, and gave no answer that counts."""

    NOT_CHECKED = "not-checked"
    GOOD = "good"
    REVOKED = "revoked"
    UNAVAILABLE = "unavailable"


class IngredientState(StrEnum):
    """How an ingredient stood when it was taken in, best to worst.

    none: there is no ingredient. unsigned: it had no credential. not-validated: it had one, and
    nobody noted whether that held.
    """

    NONE = "none"
    TRUSTED = "trusted"
    UNSIGNED = "unsigned"
    VALID = "valid"
    NOT_VALIDATED = "not-validated"
    INVALID = "invalid"

    @property
    def severity(self) -> int:
        """0 for none up to 5 for invalid."""
        return list(IngredientState).index(self)


class Coverage(Frozen):
    """Which bytes of the file the signature protects. ``share``: 0..1 of the bytes that are not
    the credential itself; below 1 somebody may change the rest unnoticed. ``pixel_share``: the like
    of the bytes that the pixels are encoded in, None for kinds of file in which those are not told
    apart."""

    bytes_total: int = Field(ge=0)
    bytes_excluded: int = Field(ge=0)
    share: float = Field(ge=0, le=1)
    pixel_share: float | None = Field(default=None, ge=0, le=1)


class SignerFinding(Frozen):
    """Whose certificate signed. ``development``: it comes from a CA that ``wardmark init`` made,
    which only the home that made it trusts. ``anchor``: where the chain ends, if it does.
    ``fingerprint``: SHA-256 (hex) of the leaf certificate."""

    name: str | None
    organisation: str | None
    issuer: str | None
    algorithm: str | None
    serial: str | None
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    fingerprint: str | None = None
    anchor: str | None = None
    development: bool = False
    note: str | None = None


class TimeFinding(Frozen):
    """``value``: ISO 8601 time of the signature, if stated. ``trusted``: a time stamping authority
    of a trusted chain vouches for it; a time without that is only a claim."""

    value: str | None
    trusted: bool


class Codes(Frozen):
    """Status codes: those of C2PA 2.2 section 15.2, and our own beginning with ``wardmark.``"""

    success: tuple[str, ...] = ()
    informational: tuple[str, ...] = ()
    failure: tuple[str, ...] = ()


class Action(Frozen):
    """A step in a picture's history, as the credential tells it."""

    action: str
    when: str | None = None
    digital_source_type: str | None = None
    agent: str | None = None


class StatedBinding(Frozen):
    """A soft binding as stated: ``value`` in hex digits if it was base64, else as it stands."""

    alg: str
    value: str


class Disclosures(Frozen):
    """Who made the picture with what, as SB 942 asks; each may be missing."""

    provider: str | None = None
    system: str | None = None
    version: str | None = None
    created_at: str | None = None
    content_id: str | None = None


class Step(Frozen):
    """A picture in the history that a credential tells: the file's own, or one it was made from.

    ``manifest``: label of its credential, None where it had none. ``relationship``: to the picture
    made from it (parentOf, componentOf, inputTo), None for the file's own. ``state``: how its
    credential stood when it was taken in, as the signer noted, None for the file's own.
    ``actions``: names of what was done to make it.
    """

    manifest: str | None = None
    title: str | None = None
    generator: str | None = None
    signer: str | None = None
    relationship: str | None = None
    state: IngredientState | None = None
    actions: tuple[str, ...] = ()
    ingredients: tuple["Step", ...] = ()


class LedgerProof(Frozen):
    """That something behind the picture stands in a ledger, as stated: ``log`` the ledger's name,
    ``bundle`` base64 of a proof (provenance/ledger/bundle.py). Not checked here."""

    log: str
    bundle: str


class Contents(Frozen):
    """What the credential states. Believe it as far as its state goes.

    ``manifest``: label of the active manifest. ``history``: labels of all manifests in the store,
    ingredients included; ``lineage``: the same as a tree. ``source_types``: every
    digitalSourceType in that history.
    """

    manifest: str
    history: tuple[str, ...]
    title: str | None = None
    generator: str | None = None
    actions: tuple[Action, ...] = ()
    source_types: tuple[str, ...] = ()
    soft_bindings: tuple[StatedBinding, ...] = ()
    disclosures: Disclosures = Disclosures()
    lineage: Step = Step()
    ledger: LedgerProof | None = None


class Credential(Frozen):
    """A credential, judged. ``reason``: why it is unreadable, in words."""

    state: State
    integrity: Integrity = Integrity.NOT_CHECKED
    coverage: Coverage | None = None
    signer: SignerFinding | None = None
    time: TimeFinding = TimeFinding(value=None, trusted=False)
    revocation: Revocation = Revocation.NOT_CHECKED
    worst_ingredient: IngredientState = IngredientState.NONE
    codes: Codes = Codes()
    contents: Contents | None = None
    reason: str | None = None

    @property
    def proves(self) -> bool:
        """True when it says, for the whole file and from a trusted signer, where it comes from."""
        revocable = self.revocation in (Revocation.REVOKED, Revocation.UNAVAILABLE)
        trusted = self.state is State.TRUSTED and not revocable
        return trusted and self.integrity is Integrity.INTACT

    @property
    def content_id(self) -> str | None:
        """The content id that it states, 16 hex digits, or None."""
        return self.contents.disclosures.content_id if self.contents else None
