"""What the second reader finds of a whole store: what it states, and what of it fails. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from provenance.credential.reader.binding import (
    BMFF_HASHES,
    DATA_HASH,
    Binding,
    HashedRange,
    beyond_mandated,
    check_bmff_hash,
    check_data_hash,
    exclusions,
)
from provenance.credential.reader.jumbf import Store, parse
from provenance.credential.reader.manifest import (
    ASSERTIONS,
    SIGNATURE,
    Json,
    Manifest,
    hash_fits,
    manifests,
    resolve,
)
from provenance.credential.reader.timestamp import TimeStamp, best_time_stamp
from provenance.keys.trust import TrustAnchors

MANIFEST_REFERENCES = ("activeManifest", "c2pa_manifest", "active_manifest")
PORTRAIT = "c2pa.thumbnail.claim"
EMBEDDED_FILE = b"bidb"  # the box with the bytes of an embedded file


@dataclass(frozen=True)
class Reading:
    """``store``: as parsed. ``manifests``: in order, the active one last. ``failures``: of the
    active manifest; ``ingredient_failures``: of all others, and of what refers to them. Codes are
    those of C2PA."""

    store: Store
    manifests: tuple[Manifest, ...]
    failures: tuple[str, ...]
    ingredient_failures: tuple[str, ...]

    @property
    def active(self) -> Manifest:
        return self.manifests[-1]

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates that signed the active claim, the leaf first; may be empty."""
        signature = self.active.signature
        return signature.chain if signature else ()

    def statements(self) -> Json:
        """In the shape of c2pa's own JSON, but with bytes where bytes stand."""
        return {
            "active_manifest": self.active.label,
            "manifests": {
                manifest.label: {
                    "claim": manifest.claim,
                    "assertion_store": manifest.statements,
                    "signature": _signed_by(manifest),
                }
                for manifest in self.manifests
            },
        }

    def time_stamp(self, anchors: TrustAnchors) -> TimeStamp | None:
        """When the active claim was signed, if a time stamp says so."""
        signature = self.active.signature
        if signature is None or not signature.time_stamps:
            return None
        return best_time_stamp(signature, self.active.claim_bytes, anchors)

    def binding(self, data: bytes) -> Binding:
        """Whether ``data``, the file that holds the store, has the bytes that were signed."""
        label, stated = self._hard_binding()
        alg = self.active.claim.get("alg")
        if label == DATA_HASH:
            return check_data_hash(data, stated, alg)
        return check_bmff_hash(data, stated, alg) if label in BMFF_HASHES else Binding.UNREAD

    @property
    def mismatch(self) -> str:
        """The code of a hard binding of this kind that does not hold."""
        boxed = self._hard_binding()[0] in BMFF_HASHES
        return "assertion.bmffHash.mismatch" if boxed else "assertion.dataHash.mismatch"

    def exclusions(self, data: bytes) -> tuple[HashedRange, ...] | None:
        """What the active manifest's hard binding leaves out of ``data``; None when it is bound in
        a way that is not read."""
        label, stated = self._hard_binding()
        if label == DATA_HASH:
            return exclusions(stated)
        return beyond_mandated(data, stated) if label in BMFF_HASHES else None

    def _hard_binding(self) -> tuple[str | None, Mapping[str, object]]:
        for label in (DATA_HASH, *BMFF_HASHES):
            stated = self.active.statements.get(label)
            if isinstance(stated, dict):
                return label, stated
        return None, {}

    def portrait(self) -> bytes | None:
        """The encoded picture of itself that the active manifest carries, where the signature is
        over that very picture; None otherwise."""
        if self.failures:
            return None
        outer = self.active.box.child(ASSERTIONS)
        for child in outer.children if outer else []:
            held = child.content(EMBEDDED_FILE)
            if child.label.startswith(PORTRAIT) and held is not None:
                return self.store.data[held.start : held.end]
        return None


def open_store(data: bytes) -> Reading:
    """Read a manifest store. Raises Malformed where it is none, or could be read in two ways."""
    store = parse(data)
    found = manifests(store)
    references = [failure for manifest in found for failure in _ingredients(store, manifest, found)]
    others = [failure for manifest in found[:-1] for failure in manifest.failures]
    return Reading(
        store=store,
        manifests=found,
        failures=found[-1].failures,
        ingredient_failures=tuple(dict.fromkeys(others + references)),
    )


def _ingredients(store: Store, manifest: Manifest, found: Sequence[Manifest]) -> Iterator[str]:
    """What fails of the references to manifests of ingredients."""
    for label, said in manifest.statements.items():
        if not label.startswith("c2pa.ingredient") or not isinstance(said, dict):
            continue
        uri = next((said[key] for key in MANIFEST_REFERENCES if said.get(key)), None)
        if uri is None:
            continue
        target = resolve(store, manifest.box, uri.get("url") if isinstance(uri, dict) else None)
        if target is None:
            yield "ingredient.manifest.missing"
        elif not hash_fits(store, target, uri, manifest.claim.get("alg")):
            # What was redacted since changes the manifest, and leaves its signature as it was.
            signed, signature = said.get("claimSignature"), target.child(SIGNATURE)
            redacted = any(_redacts(other, target.label) for other in found)
            same = signature is not None and hash_fits(
                store, signature, signed, manifest.claim.get("alg")
            )
            if not (redacted and same):
                yield "ingredient.manifest.mismatch"


def _redacts(manifest: Manifest, label: str) -> bool:
    listed = manifest.claim.get("redacted_assertions")
    return any(label in str(uri) for uri in listed) if isinstance(listed, list) else False


def _signed_by(manifest: Manifest) -> Json:
    signature = manifest.signature
    if signature is None:
        return {}
    said: dict[str, object] = {"alg": signature.algorithm.name if signature.algorithm else None}
    for key, oid in (("common_name", NameOID.COMMON_NAME), ("issuer", NameOID.ORGANIZATION_NAME)):
        names = signature.chain[0].subject.get_attributes_for_oid(oid) if signature.chain else []
        said[key] = str(names[0].value) if names else None
    return said
