"""c2pa-python with settings that are safe: the only door to it."""

from functools import lru_cache
from typing import TYPE_CHECKING

from provenance.keys.chain import CLAIM_PURPOSES
from provenance.keys.trust import TrustAnchors

if TYPE_CHECKING:
    import c2pa


@lru_cache(maxsize=16)  # one per set of anchors: building one parses every certificate
def context(anchors: TrustAnchors) -> "c2pa.Context":
    """A context that trusts ``anchors``, reaches no network and makes no thumbnail.

    Without ``trust_config`` c2pa-rs refuses the very purpose that C2PA prescribes (claimSigning).
    Remote manifests, OCSP and did:web identities are requests that a picture could cause.
    """
    import c2pa  # loads a 20 MB native library

    trust: dict[str, object] = {
        "trust_config": "".join(sorted(f"{purpose.dotted_string}\n" for purpose in CLAIM_PURPOSES))
    }
    if anchors.pem:
        trust["trust_anchors"] = anchors.pem
    settings = {
        "version": 1,
        "trust": trust,
        "verify": {
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            "verify_after_sign": False,  # sign() verifies each signature itself, 20 times faster
        },
        "core": {"decode_identity_assertions": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    return c2pa.Context(c2pa.Settings.from_dict(settings))
