"""What a picture was made from stays in its credential, as it was found."""

import pytest

from provenance.credential import (
    Attachments,
    Claims,
    DigitalSourceType,
    Ingredient,
    IngredientState,
    Relationship,
    State,
    read,
    sign,
    take_in,
)
from provenance.errors import PictureInvalid
from provenance.keys import KeySigner, TrustAnchors
from tests.credential.authority import Authority
from tests.credential.formats import KINDS, active, codes, file_of, third_party
from tests.credential.scenery import claims, encoded


def edit_of(*ingredients: Ingredient) -> tuple[Claims, Attachments]:
    stated = claims("00000000000000aa")
    edited = stated.model_copy(update={"digital_source_type": DigitalSourceType.EDITED})
    return edited, Attachments(ingredients=ingredients)


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_carries_the_credential_of_its_parent(
    signer: KeySigner, trust: TrustAnchors, kind: str
) -> None:
    parent = sign(file_of(kind), kind, claims(), signer)
    stated, attached = edit_of(take_in(parent.data, trust))
    signed = sign(file_of(kind, seed=1), kind, stated, signer, attached=attached)
    state, report = third_party(signed.data, kind, trust)
    assert (state, codes(report, "failure")) == ("Trusted", set())
    assert len(report["manifests"]) == 2
    names = [a["action"] for a in active(report)["assertion_store"]["c2pa.actions.v2"]["actions"]]
    assert names == ["c2pa.opened", "c2pa.edited", "c2pa.watermarked.bound"]
    deltas = report["validation_results"]["ingredientDeltas"]
    assert [d["validationDeltas"]["failure"] for d in deltas] == [[]]


def test_what_was_found_of_the_parent_is_kept(signer: KeySigner, trust: TrustAnchors) -> None:
    good = sign(encoded(), "image/png", claims(), signer).data
    strangers = sign(encoded(), "image/png", claims(), Authority().signer()).data
    tampered = bytearray(good)
    tampered[-30] ^= 1
    found = {}
    for name, data in (
        ("good", good),
        ("stranger", strangers),
        ("tampered", bytes(tampered)),
        ("unsigned", encoded()),
    ):
        stated, attached = edit_of(take_in(data, trust))
        signed = sign(encoded(1), "image/png", stated, signer, attached=attached)
        found[name] = read(signed.data, trust).worst_ingredient
    assert found == {
        "good": IngredientState.TRUSTED,
        "stranger": IngredientState.VALID,
        "tampered": IngredientState.INVALID,
        "unsigned": IngredientState.UNSIGNED,
    }


def test_a_parent_that_only_our_own_reader_objects_to_is_not_laundered(signer: KeySigner) -> None:
    """c2pa-rs trusts a leaf that may sign nothing but time stamps."""
    from cryptography.x509.oid import ExtendedKeyUsageOID

    from tests.credential.forge import CREATED, forge_png

    authority = Authority()
    stamper = authority.signer([ExtendedKeyUsageOID.TIME_STAMPING])
    parent = forge_png(encoded(), stamper, {"c2pa.actions.v2": CREATED})
    stated, attached = edit_of(take_in(parent, authority.trust))
    signed = sign(encoded(1), "image/png", stated, signer, attached=attached)
    assert read(signed.data, authority.trust).worst_ingredient is IngredientState.INVALID


def test_several_inputs_each_have_their_part(signer: KeySigner, trust: TrustAnchors) -> None:
    one, two = (sign(encoded(n), "image/png", claims(), signer).data for n in (2, 3))
    stated, attached = edit_of(
        take_in(one, trust),
        take_in(two, trust, Relationship.COMPONENT),
        take_in(one, trust, Relationship.INPUT, title="Reference"),
    )
    signed = sign(encoded(4), "image/png", stated, signer, attached=attached)
    state, report = third_party(signed.data, "image/png", trust)
    assert (state, len(report["manifests"])) == ("Trusted", 3)  # the same one is kept once
    actions = active(report)["assertion_store"]["c2pa.actions.v2"]["actions"]
    assert [a["action"] for a in actions[:3]] == ["c2pa.opened", "c2pa.placed", "c2pa.edited"]
    assert len(actions[2]["parameters"]["ingredients"]) == 1


def test_an_edit_of_an_edit_keeps_the_whole_history(signer: KeySigner, trust: TrustAnchors) -> None:
    data = sign(encoded(), "image/png", claims(), signer).data
    for seed in (1, 2):
        stated, attached = edit_of(take_in(data, trust))
        data = sign(encoded(seed), "image/png", stated, signer, attached=attached).data
    found = read(data, trust)
    assert found.state is State.TRUSTED
    assert found.contents is not None
    assert len(found.contents.history) == 3


def test_the_same_file_signed_again_holds_its_first_credential(
    signer: KeySigner, trust: TrustAnchors
) -> None:
    first = sign(encoded(), "image/png", claims(), signer)
    stated, attached = edit_of(take_in(first.data, trust))
    second = sign(first.data, "image/png", stated, signer, attached=attached)
    assert second.data.count(b"caBX") == 1
    assert third_party(second.data, "image/png", trust)[0] == "Trusted"


@pytest.mark.parametrize("kind", KINDS)
def test_a_credential_is_never_dropped_without_a_trace(signer: KeySigner, kind: str) -> None:
    signed = sign(file_of(kind), kind, claims(), signer)
    with pytest.raises(PictureInvalid, match="already carries a credential"):
        sign(signed.data, kind, claims(), signer)


def test_a_parent_whose_credential_cannot_be_read_is_refused(
    signer: KeySigner, trust: TrustAnchors
) -> None:
    signed = sign(encoded(), "image/png", claims(), signer)
    broken = signed.data.replace(signed.store[40:60], bytes(20), 1)
    with pytest.raises(PictureInvalid, match="cannot be read"):
        take_in(broken, trust)
