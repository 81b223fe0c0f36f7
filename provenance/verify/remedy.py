"""What would make this established? The smallest change that each finding asks for. Pure."""

from collections.abc import Callable, Iterator, Sequence

from provenance.credential.credential import State
from provenance.verify.findings import Findings
from provenance.verify.report import Agreement, Verdict

ORIGINAL = "the file as it was published, with the very bytes that were signed"
OWN_CREDENTIAL = "this picture with the credential that was made for it"

_FIXED: dict[str, str] = {
    "altered-after-signing": ORIGINAL,
    "altered-credential": "the credential as it was signed: ask whoever published the file",
    "swapped-manifest": OWN_CREDENTIAL,
    "record-mismatch": OWN_CREDENTIAL,
    "mark-mismatch": OWN_CREDENTIAL,
    "re-signed": "the file with the recorded credential, or one that names it as its origin",
    "transplanted-mark": "nothing about this file can: its watermark is of another picture",
    "laundered-ingredient": "the edit made anew from a picture whose own credential holds",
    "record-not-proved": "the record in a ledger whose proof fits: ask the operator for a copy",
    "ledger-proof-of-another": OWN_CREDENTIAL,
    "ledger-proof-broken": "a credential whose proof fits the ledger's public key",
    "stripped": "the file as it was delivered, with its credential",
    "unreadable-credential": "the whole credential, one alone, in a PNG, JPEG or WebP file",
    "readers-disagree": "a credential that follows the specification so closely that any two "
    "readers find the same in it",
    "binding-not-checked": "a credential bound to the file by a hash of its data (c2pa.hash.data)",
    "malformed-credential": "a credential that follows the specification",
    "signer-not-entitled": "a certificate that was issued for signing claims (C2PA claimSigning)",
    "revoked": "a trusted time stamp from before the certificate was revoked",
    "revocation-unknown": "an answer of the signer's authority on whether it was revoked",
    "mark-without-record": "the ledger or the resolver that knows this watermark",
    "altered-copy": "the picture without the changes that were made to it",
    "look-alike": "the file as it was delivered: by its looks alone it could be another picture",
    "fingerprint-inconclusive": "the file as it was delivered: a picture with so little detail "
    "cannot be told from others by its looks",
    "stored-credential-untrusted": "trust in the signer of the recorded credential (--trust FILE)",
    "resolver-unavailable": "an answer of the resolver: ask again later",
    "resolved-unlike": OWN_CREDENTIAL,
    "untrusted-time": "trust in the time stamping authority: give its certificate by "
    "--trust time-stamping:FILE",
    "resolved-without-likeness": "the file with its credential: the one that the resolver keeps "
    "carries no picture to compare with",
}


def remedies(findings: Findings, said: Sequence[Agreement], verdict: Verdict) -> tuple[str, ...]:
    """What would have to be there for the verdict to be established; empty where it is.

    In the order of ``said``: contradictions first.
    """
    if verdict is Verdict.ESTABLISHED:
        return ()
    named = [a.name for a in said if a.name is not None]
    found = [sentence for name in named for sentence in _for(name, findings)]
    return tuple(dict.fromkeys(found)) or tuple(_for_nothing_found(findings))


def _for(name: str, findings: Findings) -> Iterator[str]:
    if name in _FIXED:
        yield _FIXED[name]
    elif name in _OF_FINDINGS:
        yield _OF_FINDINGS[name](findings)


def _for_nothing_found(findings: Findings) -> Iterator[str]:
    if findings.credential.state is State.ABSENT:
        yield "the file as its maker published it: copies and uploads lose the credential"
    elif not findings.credential.proves:
        yield "a credential whose hash of the whole file both readers can check"
    if not findings.ledger_asked:
        yield "the ledger in which the picture may be recorded, or a resolver (--resolver URL)"


def _unknown_signer(findings: Findings) -> str:
    signer = findings.credential.signer
    whose = signer.issuer if signer and signer.issuer else "the signer's authority"
    return f"trust in {whose}: give its certificate by --trust FILE, if you have reason to"


def _expired(findings: Findings) -> str:
    signer = findings.credential.signer
    when = (
        f" (--at, between {signer.valid_from:%Y-%m-%d} and {signer.valid_until:%Y-%m-%d})"
        if signer and signer.valid_from and signer.valid_until
        else ""
    )
    return (
        "a trusted time stamp in the credential; or ask about a moment at which you know that the "
        f"file existed{when}"
    )


def _left_out(findings: Findings) -> str:
    covered = findings.credential.coverage
    how_much = f": {covered.bytes_excluded} bytes are left out" if covered else ""
    return f"a signature that covers the whole file{how_much}"


_OF_FINDINGS: dict[str, Callable[[Findings], str]] = {
    "unknown-signer": _unknown_signer,
    "expired-without-time": _expired,
    "over-broad-exclusion": _left_out,
}
