"""What a picture was made from: parents that do not hold, were swapped or never were there."""

from provenance.picture import encode
from provenance.verify import Verdict
from tests.credential.forge import (
    Forgery,
    edit_of,
    ingredient,
    label_of,
    manifests_of,
    pen,
)
from tests.credential.test_read import edited, flip
from tests.verify.attacks import STRANGER, VOUCHED, Case, forged, fresh, kind
from tests.verify.attacks.structure import store_of
from tests.verify.studio import Delivered, Studio

PARENT = Forgery().into(fresh(53), pen(VOUCHED.signer()))
MANIFEST = manifests_of(store_of(PARENT))[-1]


def edited_from(said: object, *manifests: bytes) -> Case:
    """An edit by a vouched-for publisher that carries these manifests and states this of one."""
    return forged(Forgery(edit_of(said), parents=manifests))


@kind(Verdict.ESTABLISHED, None)
def edit_of_a_parent_that_holds(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return edited_from(ingredient(MANIFEST), MANIFEST)


@kind(Verdict.ESTABLISHED, "unknown-ingredient")
def edit_of_a_strangers_picture(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """Taken in as what it was: the publisher vouches for the edit, not for the parent."""
    theirs = manifests_of(store_of(Forgery().into(fresh(54), pen(STRANGER.signer()))))[-1]
    return edited_from(ingredient(theirs, ["signingCredential.untrusted"]), theirs)


@kind(Verdict.CONTRADICTED, "laundered-ingredient")
def parent_laundered(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """c2pa's own editor takes in a tampered parent, notes so, and its reader says Trusted."""
    return Case(edited(flip(own.data, len(own.data) - 500), studio.signer))


@kind(Verdict.CONTRADICTED, "laundered-ingredient")
def parent_noted_as_tampered(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return edited_from(ingredient(MANIFEST, ["assertion.dataHash.mismatch"]), MANIFEST)


@kind(Verdict.CONTRADICTED, "laundered-ingredient")
def component_noted_as_tampered(studio: Studio, own: Delivered, other: Delivered) -> Case:
    part = ingredient(MANIFEST, ["claimSignature.mismatch"], relationship="componentOf")
    return edited_from(part, MANIFEST)


@kind(Verdict.CONTRADICTED, "laundered-ingredient")
def forged_parent_noted_as_whole(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """The claim of the parent was changed, and the editor says that all was well."""
    changed = MANIFEST.replace(b"forger", b"camera")
    return edited_from(ingredient(changed), changed)


@kind(Verdict.CONTRADICTED, "laundered-ingredient")
def parent_swapped_under_its_reference(studio: Studio, own: Delivered, other: Delivered) -> Case:
    named = Forgery(label=label_of(MANIFEST)).into(fresh(55), pen(VOUCHED.signer()))
    swapped = manifests_of(store_of(named))[-1]
    return edited_from(ingredient(MANIFEST), swapped)


@kind(Verdict.CONTRADICTED, "laundered-ingredient")
def grandparent_changed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    changed = MANIFEST.replace(b"forger", b"camera")
    between = Forgery(edit_of(ingredient(changed)), parents=[changed])
    middle = manifests_of(store_of(between.into(fresh(56), pen(VOUCHED.signer()))))
    return edited_from(ingredient(middle[-1]), *middle)


@kind(Verdict.CONTRADICTED, "laundered-ingredient")
def parent_that_is_not_there(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return edited_from(ingredient(MANIFEST))


@kind(Verdict.CONTRADICTED, "re-signed")
def edit_that_hides_its_recorded_parent(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(own.pixels, "png")
    forgery = Forgery(edit_of(ingredient(MANIFEST)), parents=[MANIFEST])
    return Case(forgery.into(plain, pen(VOUCHED.signer())), VOUCHED.trust)
