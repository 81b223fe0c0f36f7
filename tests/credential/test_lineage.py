"""The history of a picture as a tree: what its credential says that it was made from."""

from typing import Any

import pytest

from provenance.credential import Signed, read, sign
from provenance.credential.contents import MAX_GENERATIONS, MAX_LISTED, contents_of
from provenance.credential.credential import IngredientState, Step
from provenance.keys import KeySigner, TrustAnchors
from tests.credential.scenery import claims, encoded
from tests.credential.test_read import edited


@pytest.fixture(scope="module")
def signed(signer: KeySigner) -> Signed:
    return sign(encoded(), "image/png", claims(), signer)


def lineage(data: bytes, trust: TrustAnchors) -> Step:
    contents = read(data, trust).contents
    assert contents is not None
    return contents.lineage


def test_a_picture_made_from_nothing_is_a_tree_of_one(signed: Signed, trust: TrustAnchors) -> None:
    own = lineage(signed.data, trust)
    assert own.actions == ("c2pa.created", "c2pa.watermarked.bound")
    assert (own.relationship, own.state, own.ingredients) == (None, None, ())


def test_an_edit_of_an_edit_leads_back_to_the_first_picture(
    signed: Signed, signer: KeySigner, trust: TrustAnchors
) -> None:
    twice = lineage(edited(edited(signed.data, signer), signer), trust)
    (once,) = twice.ingredients
    (first,) = once.ingredients
    assert twice.actions == once.actions == ("c2pa.opened",)
    assert first.actions == ("c2pa.created", "c2pa.watermarked.bound")
    assert (once.relationship, once.state) == ("parentOf", IngredientState.VALID)
    assert first.manifest == lineage(signed.data, trust).manifest


def test_an_unsigned_parent_is_a_leaf_that_says_so(signer: KeySigner, trust: TrustAnchors) -> None:
    (parent,) = lineage(edited(encoded(), signer), trust).ingredients
    assert (parent.manifest, parent.state) == (None, IngredientState.UNSIGNED)


def store(ingredients: dict[str, list[str]]) -> dict[str, Any]:
    """c2pa's JSON of a store in which each manifest names others as its ingredients."""
    return {
        "active_manifest": "a",
        "manifests": {
            label: {
                "assertion_store": {
                    f"c2pa.ingredient.v3__{n}": {"activeManifest": {"url": url}}
                    for n, url in enumerate(f"self#jumbf=/c2pa/{other}" for other in others)
                }
            }
            for label, others in ingredients.items()
        },
    }


def size(step: Step) -> int:
    return 1 + sum(size(ingredient) for ingredient in step.ingredients)


def depth(step: Step) -> int:
    return 1 + max((depth(ingredient) for ingredient in step.ingredients), default=0)


def test_manifests_that_name_one_another_end() -> None:
    contents = contents_of(store({"a": ["b", "a"], "b": ["a", "b"]}))
    assert contents is not None
    assert depth(contents.lineage) == 3


def test_a_tree_that_would_grow_without_end_is_cut() -> None:
    wide = contents_of(store({"a": ["b"] * 20, "b": ["c"] * 20, "c": ["d"] * 20, "d": []}))
    deep = contents_of(store({chr(97 + n): [chr(98 + n)] for n in range(20)} | {"u": []}))
    assert wide is not None
    assert deep is not None
    assert size(wide.lineage) <= MAX_LISTED + 1
    assert depth(deep.lineage) <= MAX_GENERATIONS + 2
