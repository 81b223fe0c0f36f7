"""Findings of every shape, for properties of the rules."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from policies.decision import PolicyRef
from provenance.credential import (
    Codes,
    Contents,
    Credential,
    Disclosures,
    IngredientState,
    Integrity,
    Revocation,
    State,
)
from provenance.credential.credential import Action, SignerFinding, StatedBinding
from provenance.fingerprint import Fingerprint
from provenance.keys.chain import NO_ANCHOR, OUT_OF_TIME, WRONG_PURPOSE
from provenance.record import Record
from provenance.verify import Inclusion
from provenance.verify.findings import Candidate, Findings, Mark
from provenance.watermark import Detection

ALG = "org.wardmark.test.1"
CONTENT_IDS = ("00000000000000aa", "00000000000000bb", "00000000000000cc")
FAILURES = (
    "assertion.dataHash.mismatch",
    "claimSignature.mismatch",
    "signingCredential.expired",
    "signingCredential.untrusted",
    NO_ANCHOR,
    OUT_OF_TIME,
    WRONG_PURPOSE,
)

content_ids = st.sampled_from(CONTENT_IDS)
maybe_content_ids = st.none() | content_ids

contents = st.builds(
    Contents,
    manifest=st.sampled_from(["urn:c2pa:a", "urn:c2pa:b"]),
    history=st.lists(st.sampled_from(["urn:c2pa:a", "urn:c2pa:b"]), max_size=2).map(tuple),
    actions=st.sampled_from(
        [
            (),
            (Action(action="c2pa.created", digital_source_type="x/trainedAlgorithmicMedia"),),
            (Action(action="c2pa.created", digital_source_type="x/digitalCapture"),),
        ]
    ),
    source_types=st.lists(
        st.sampled_from(["x/digitalCapture", "x/composite", "x/trainedAlgorithmicMedia"]),
        max_size=2,
    ).map(tuple),
    soft_bindings=st.lists(
        st.builds(StatedBinding, alg=st.sampled_from([ALG, "other"]), value=content_ids),
        max_size=1,
    ).map(tuple),
    disclosures=st.builds(
        Disclosures, provider=st.sampled_from([None, "P"]), content_id=maybe_content_ids
    ),
)

credentials = st.builds(
    Credential,
    state=st.sampled_from(State),
    integrity=st.sampled_from(Integrity),
    signer=st.none()
    | st.builds(
        SignerFinding,
        name=st.sampled_from([None, "S"]),
        organisation=st.none(),
        issuer=st.none(),
        algorithm=st.none(),
        serial=st.none(),
        development=st.booleans(),
    ),
    revocation=st.sampled_from(Revocation),
    worst_ingredient=st.sampled_from(IngredientState),
    codes=st.builds(
        Codes, failure=st.lists(st.sampled_from(FAILURES), max_size=3, unique=True).map(tuple)
    ),
    contents=st.none() | contents,
)

marks = st.builds(
    Mark,
    detection=st.builds(
        Detection,
        scheme=st.just("test"),
        payload=content_ids.map(bytes.fromhex),
        false_positive_probability=st.floats(0, 1e-6),
        known_as=st.sampled_from([None, "Another generator"]),
    ),
    alg=st.sampled_from([ALG, "other"]),
)


def record(content_id: str) -> Record:
    """A record of that id."""
    return Record(
        content_id=content_id,
        decision_id="d",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        media_type="image/png",
        width=1,
        height=1,
        sha256="0" * 64,
        pdq="0" * 64,
        pdq_quality=100,
        watermark_scheme="test",
        credential=b"",
        core="c",
        core_digest="0" * 64,
        policy=PolicyRef(name="p", version="1", digest="0" * 64),
    )


candidates = st.builds(
    Candidate,
    record=content_ids.map(record),
    distance=st.sampled_from([0, 31, 32, 70, 90, 128]),
    comparable=st.booleans(),
    chance=st.floats(0, 1),
    stored=credentials,
    same_store=st.booleans(),
    inclusion=st.sampled_from(Inclusion),
)

findings = st.builds(
    Findings,
    credential=credentials,
    mark=st.none() | marks,
    fingerprint=st.builds(Fingerprint, pdq=st.just("0" * 64), quality=st.integers(0, 100)),
    algs_tried=st.sampled_from([frozenset(), frozenset({ALG})]),
    ledger_asked=st.booleans(),
    by_file=st.none() | candidates,
    by_mark=st.none() | candidates,
    by_credential=st.none() | candidates,
    by_fingerprint=st.none() | candidates,
)


def without_records(found: Findings) -> Findings:
    """The same, had there been no ledger."""
    return replace(
        found,
        ledger_asked=False,
        by_file=None,
        by_mark=None,
        by_credential=None,
        by_fingerprint=None,
    )
