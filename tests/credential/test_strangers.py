"""What c2pa's own writer writes, in every kind of file, is read alike by both readers."""

import io

import c2pa
import pytest
from PIL import Image

from provenance.credential import IngredientState, read
from provenance.credential.container import find_store
from provenance.credential.engine import context
from provenance.credential.judge import READERS_DISAGREE
from provenance.credential.reader import Binding, open_store
from provenance.keys import TrustAnchors
from tests.credential.authority import Authority
from tests.credential.scenery import picture

AUTHORITY = Authority("A house that uses c2pa-rs")
SIGNER = AUTHORITY.signer()
KINDS = ("png", "jpeg", "webp", "tiff", "avif")
CREATED = {
    "action": "c2pa.created",
    "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    "when": "2026-01-02T03:04:05Z",
    "parameters": {"org.example.seed": 7, "org.example.scale": 7.5, "org.example.none": None},
}


def saved(kind: str, seed: int = 0) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture(seed=seed, size=160)).save(out, kind)
    return out.getvalue()


def signed(
    kind: str, parent: bytes | None = None, assertions: tuple[tuple[str, object], ...] = ()
) -> bytes:
    """Written and signed by c2pa-python alone; ``parent``: what it is an edit of."""
    listed = [{"label": label, "data": data} for label, data in assertions]
    definition = {"claim_generator_info": [{"name": "c2pa-rs", "version": "0.91"}], "title": "x"}
    if parent is None:
        listed.append({"label": "c2pa.actions.v2", "data": {"actions": [CREATED]}})
    out = io.BytesIO()
    with c2pa.Builder({**definition, "assertions": listed}, context(TrustAnchors())) as builder:
        if parent is not None:
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
            ingredient = {"title": "parent", "relationship": "parentOf"}
            builder.add_ingredient(ingredient, f"image/{kind}", io.BytesIO(parent))
        chain, algorithm = SIGNER.certificate_chain.decode(), c2pa.C2paSigningAlg.ES256
        with c2pa.Signer.from_callback(SIGNER.sign, algorithm, chain, None) as native:
            builder.sign(native, f"image/{kind}", io.BytesIO(saved(kind)), out)
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_by_c2pa_is_trusted_by_both_readers(kind: str) -> None:
    data = signed(kind)
    found = read(data, AUTHORITY.trust)
    assert READERS_DISAGREE not in found.codes.failure
    assert found.proves, found
    embedded = find_store(data, f"image/{kind}")
    assert embedded is not None
    assert open_store(embedded.store).binding(data) is Binding.HOLDS


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_of_an_edit_by_c2pa_is_trusted_by_both_readers(kind: str) -> None:
    found = read(signed(kind, signed(kind, signed(kind))), AUTHORITY.trust)
    assert found.proves, found
    assert found.contents is not None
    assert len(found.contents.history) == 3
    assert found.worst_ingredient is IngredientState.VALID  # its writer trusted nobody


def test_statements_of_many_shapes_are_read_alike() -> None:
    data = signed(
        "png",
        assertions=(
            ("org.example.deep", {"a": [[{"b": [1, 2.5, None, True, "ü", ""]}]] * 5}),
            ("org.example.long", {"text": "x" * 70_000}),
            ("org.example.note", {"n": 1}),
            ("org.example.note", {"n": 2}),
            (
                "c2pa.soft-binding",
                {"alg": "com.adobe.trustmark.P", "blocks": [{"scope": {}, "value": "MTIz"}]},
            ),
            ("stds.schema-org.CreativeWork", {"@context": "http://schema.org", "author": []}),
        ),
    )
    found = read(data, AUTHORITY.trust)
    assert found.proves, found
    assert found.contents is not None
    assert [binding.value for binding in found.contents.soft_bindings] == ["313233"]
