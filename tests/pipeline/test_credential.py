"""What leaves says where it comes from, in a credential that proves its decision."""

import json

import pytest

from guard.pipeline import ImageRequest, Released, deliver
from provenance.credential import read
from provenance.credential.manifest import DISCLOSURE, MODEL, SOFT_BINDING, TRAINING_AND_MINING
from provenance.credential.reader import Reading, open_store
from provenance.credential.stamping import StampPolicy, TimeAuthorities
from provenance.credential.writer.containers import container_of
from provenance.errors import SignerUnavailable
from provenance.home import SETTINGS_FILE, Home
from provenance.ledger.bundle import LABEL, read_assertion
from provenance.ledger.merkle import leaf_hash
from provenance.picture import Format
from tests.support.core import InMemoryCore
from tests.support.deployment import PROVIDER, pipeline_of, with_provenance
from tests.support.tsa import LoopbackAuthority, serving

CORE = InMemoryCore().info.name
PROMPT = "Xanthippe Quarterstaff with her phone number 555-0199, by the sea"


def released(home: Home, kind: Format = "png") -> Released:
    (one,) = pipeline_of(home).run(ImageRequest(prompt=PROMPT, seed=1, format=kind)).released
    return one


def stated(one: Released, home: Home) -> Reading:
    record = home.ledger.record_by_content_id(one.content_id)
    assert record is not None
    return open_store(record.credential)


def test_the_credential_proves_that_its_decision_stood_in_the_ledger(home: Home) -> None:
    one = released(home)
    bundle = read_assertion(stated(one, home).active.statements[LABEL])  # type: ignore[arg-type]
    checkpoint = bundle.verify(home.ledger.verifier).checkpoint
    (decision,) = home.ledger.entries(kind="decision")
    assert (bundle.index, bundle.leaf) == (decision.index, None)
    assert bundle.digest == home.ledger.prove(decision.id).leaf.hash() != leaf_hash(b"")
    (delivery,) = home.ledger.entries(kind="delivery")
    assert decision.index < checkpoint.size <= delivery.index
    assert decision.body["content_id"] == delivery.body["record"]["content_id"] == one.content_id
    assert delivery.body["decision_entry"] == decision.id


def test_who_made_it_with_what_is_disclosed(home: Home) -> None:
    one = released(home)
    said = stated(one, home).active.statements
    disclosure, model, binding = said[DISCLOSURE], said[MODEL], said[SOFT_BINDING]
    assert disclosure["provider"] == PROVIDER  # type: ignore[index]
    assert disclosure["content_id"] == one.content_id  # type: ignore[index]
    assert len(model["weights"]["hash"]) == 32  # type: ignore[index]
    assert binding["blocks"][0]["value"] == bytes.fromhex(one.content_id)  # type: ignore[index]
    uses = said[TRAINING_AND_MINING]["entries"].values()  # type: ignore[index]
    assert {use["use"] for use in uses} == {"notAllowed"}
    assert b"c2pa.thumbnail.claim" in open_store(stated(one, home).store.data).store.data


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_the_labels_of_other_laws_and_tools_are_in_the_signed_metadata(
    home: Home, kind: Format
) -> None:
    one = released(home, kind)
    xmp = container_of(deliver(one), one.media_type).xmp(deliver(one))
    assert xmp is not None
    assert b"digitalsourcetype/trainedAlgorithmicMedia" in xmp
    label = xmp.split(b"TC260:AIGC='")[1].split(b"'")[0]
    assert json.loads(label) == {
        "Label": "1",
        "ContentProducer": PROVIDER,
        "ProduceID": one.content_id,
        "ReservedCode1": "",
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }
    trust = home.sources().trust
    changed = deliver(one).replace(xmp, xmp.replace(b'"Label": "1"', b'"Label": "3"'))
    assert changed != deliver(one)
    assert read(deliver(one), trust).proves
    assert not read(changed, trust).proves


def test_the_settings_name_authorities_and_data_sets(home: Home) -> None:
    settings = home.path / SETTINGS_FILE
    tsa = LoopbackAuthority()
    (home.keys_folder / "tsa.pem").write_text(tsa.trust.pem)
    with serving(tsa.granted) as url:
        text = settings.read_text().replace("urls = []", f'urls = ["{url}"]')
        text = text.replace('policy = "off"', 'policy = "required"')
        text += f'\n[[data_sets]]\ncore = "{CORE}"\nname = "harbours-v3"\ndigest = "{"ab" * 32}"\n'
        text += f'\n[[data_sets]]\ncore = "another"\nname = "other"\ndigest = "{"cd" * 32}"\n'
        settings.write_text(text)
        changed = Home.open(home.path)
        pipeline = with_provenance(pipeline_of(changed), stamper=changed.stamper)
        (one,) = pipeline.run(ImageRequest(prompt="a calm sea")).released
    report = read(deliver(one), changed.sources().trust)
    assert (report.proves, report.time.trusted) == (True, True)
    (known,) = stated(one, home).active.statements[MODEL]["data_sets"]  # type: ignore[index]
    assert (known["name"], known["hash"]) == ("harbours-v3", bytes.fromhex("ab" * 32))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_nothing_of_the_person_who_asked_is_in_the_file(home: Home, kind: Format) -> None:
    data = deliver(released(home, kind)).lower()
    for word in PROMPT.lower().replace(",", "").split():
        if len(word) > 4:
            assert word.encode() not in data
            assert word.encode("utf-16-le") not in data


def test_a_receipt_says_whether_a_time_stamp_was_had(home: Home) -> None:
    def stamped(stamper: TimeAuthorities) -> object:
        pipeline = with_provenance(pipeline_of(home), stamper=stamper)
        (one,) = pipeline.run(ImageRequest(prompt="a calm sea")).released
        return next(r.detail["time_stamped"] for r in one.trail.receipts if r.step == "credential")

    with serving(LoopbackAuthority().granted) as url:
        assert stamped(TimeAuthorities((url,))) is True
    assert stamped(TimeAuthorities(("http://127.0.0.1:9/",))) is False
    with pytest.raises(SignerUnavailable, match="no time stamp"):
        stamped(TimeAuthorities(("http://127.0.0.1:9/",), StampPolicy.REQUIRED))
