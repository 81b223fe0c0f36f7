"""Keys that sign credentials, and the anchors that are believed."""

from provenance.keys.chain import ChainFinding, check_chain, is_development
from provenance.keys.development import create_development_signer
from provenance.keys.ring import load_signer
from provenance.keys.service import CallbackSigner, aws_kms
from provenance.keys.settings import SignerSettings, open_signer
from provenance.keys.signer import Algorithm, KeySigner, Signer
from provenance.keys.token import TokenSigner
from provenance.keys.trust import TrustAnchors, load_trust

__all__ = [
    "Algorithm",
    "CallbackSigner",
    "ChainFinding",
    "KeySigner",
    "Signer",
    "SignerSettings",
    "TokenSigner",
    "TrustAnchors",
    "aws_kms",
    "check_chain",
    "create_development_signer",
    "is_development",
    "load_signer",
    "load_trust",
    "open_signer",
]
