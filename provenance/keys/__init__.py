"""Keys that sign credentials, and the anchors that are believed."""

from provenance.keys.chain import ChainFinding, check_chain, is_development
from provenance.keys.development import create_development_signer
from provenance.keys.signer import Algorithm, KeySigner, Signer, load_signer
from provenance.keys.trust import TrustAnchors, load_trust

__all__ = [
    "Algorithm",
    "ChainFinding",
    "KeySigner",
    "Signer",
    "TrustAnchors",
    "check_chain",
    "create_development_signer",
    "is_development",
    "load_signer",
    "load_trust",
]
