"""The C2PA Soft Binding Resolution API: a copy without metadata leads back to its credential."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from guard.cli import run
from guard.gateway import create_app
from guard.pipeline import ImageRequest, deliver
from guard.verification.batch import Asked
from guard.verification.page import Item, render, view
from guard.verification.repository import PDQ
from provenance.credential import check_store, read
from provenance.credential.container import find_store
from provenance.credential.credential import State
from provenance.credential.reader import jumbf
from provenance.fingerprint import fingerprint
from provenance.home import Home
from provenance.picture import Pixels, decode, encode
from provenance.record import Record
from provenance.verify import Report, Verdict, verify
from provenance.watermark import load_scheme
from tests.credential.test_read import edited
from tests.gateway.conftest import served
from tests.support.core import textured_picture
from tests.support.deployment import PROVIDER, pipeline_of

JSON = "application/json"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home.create(tmp_path_factory.mktemp("house") / "home", provider=PROVIDER, version="0.0")
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def delivered(home: Home) -> list[bytes]:
    """Two pictures of this house."""
    asked = ImageRequest(prompt="a calm sea", seed=3, count=2)
    return [deliver(released) for released in pipeline_of(home).run(asked).released]


@pytest.fixture(scope="module")
def pixels(delivered: list[bytes]) -> Pixels:
    return decode(delivered[0]).pixels


@pytest.fixture(scope="module")
def record(home: Home, delivered: list[bytes]) -> Record:
    content_id = read(delivered[0], home.sources().trust).content_id
    assert content_id is not None
    found = home.ledger.record_by_content_id(content_id)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def alg(record: Record) -> str:
    return load_scheme(record.watermark_scheme).alg


@pytest.fixture(scope="module")
def client(home: Home) -> Iterator[httpx.Client]:
    with (
        served(create_app(home, pipeline_of(home))) as address,
        httpx.Client(base_url=address, timeout=60) as made,
    ):
        yield made


def value(content: bytes) -> str:
    return base64.b64encode(content).decode()


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [match["manifestId"] for match in answer.json()["matches"]]


@pytest.mark.parametrize("root", ["", "/v1"])
def test_a_mark_leads_to_the_credential(
    client: httpx.Client, home: Home, record: Record, alg: str, root: str
) -> None:
    asked = {"alg": alg, "value": value(bytes.fromhex(record.content_id))}
    (name,) = names(client.get(f"{root}/matches/byBinding", params=asked))
    assert names(client.post(f"{root}/matches/byBinding", json=asked)) == [name]
    answer = client.get(f"{root}/manifests/{name}")
    assert answer.headers["content-type"] == "application/c2pa"
    kept = check_store(answer.content, home.sources().trust)
    assert kept.state is State.TRUSTED
    assert kept.contents is not None
    assert kept.contents.manifest == name


def test_the_looks_lead_to_the_credential_and_say_how_alike(
    client: httpx.Client, pixels: Pixels
) -> None:
    copy = fingerprint(decode(encode(pixels, "jpeg", quality=50)).pixels)
    asked = {"alg": PDQ, "value": value(bytes.fromhex(copy.pdq))}
    (match,) = client.get("/matches/byBinding", params=asked).json()["matches"]
    assert 88 <= match["similarityScore"] <= 100


@pytest.mark.parametrize("form", [False, True], ids=["body", "form"])
def test_a_picture_leads_to_its_own_credential_and_no_other(
    client: httpx.Client, delivered: list[bytes], home: Home, form: bool
) -> None:
    for original in delivered:
        copy = encode(decode(original).pixels, "jpeg", quality=80)
        if form:
            answer = client.post("/matches/byContent", files={"file": ("x.jpg", copy)})
        else:
            headers = {"content-type": "image/jpeg"}
            answer = client.post("/matches/byContent", content=copy, headers=headers)
        contents = read(original, home.sources().trust).contents
        assert contents is not None
        assert names(answer) == [contents.manifest]


def test_a_strange_picture_leads_nowhere(client: httpx.Client) -> None:
    data = encode(textured_picture("somebody else's", 256, 256, 9), "png")
    assert names(client.post("/matches/byContent", content=data)) == []


def test_a_hint_is_followed_where_the_picture_says_nothing(
    client: httpx.Client, record: Record, alg: str
) -> None:
    data = encode(textured_picture("somebody else's", 256, 256, 9), "png")
    hint = {"hintAlg": alg, "hintValue": value(bytes.fromhex(record.content_id))}
    assert len(names(client.post("/matches/byContent", content=data, params=hint))) == 1


def test_the_active_manifest_alone_is_what_was_signed(
    client: httpx.Client, home: Home, record: Record
) -> None:
    alone = client.get(f"/manifests/{record.content_id}", params={"returnActiveManifest": "true"})
    kept = check_store(alone.content, home.sources().trust)
    assert kept.state is State.TRUSTED
    assert kept.contents is not None
    assert kept.contents.history == (kept.contents.manifest,)


def test_the_algorithms_that_are_named_can_be_asked(client: httpx.Client) -> None:
    listed = client.get("/services/supportedAlgorithms").json()
    assert set(listed) == {"watermarks", "fingerprints"}
    for kind, length in (("watermarks", 8), ("fingerprints", 32)):
        assert listed[kind]
        for item in listed[kind]:
            asked = {"alg": item["alg"], "value": value(b"\x5a" * length)}
            assert client.get("/matches/byBinding", params=asked).status_code == 200


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"alg": PDQ},
        {"alg": PDQ, "value": "!!!"},
        {"alg": PDQ, "value": value(b"short")},
        {"alg": "com.example.unknown.1", "value": value(b"\0" * 8)},
        {"alg": PDQ, "value": value(b"\0" * 32), "maxResults": "0"},
    ],
)
def test_a_binding_that_cannot_be_one_is_refused_in_the_one_shape(
    client: httpx.Client, asked: dict[str, str]
) -> None:
    answer = client.get("/matches/byBinding", params=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")


@pytest.mark.parametrize(
    "name",
    ["x", "0123456789abcdef", "urn:c2pa:01234567-89ab-4def-8123-456789abcdef", "a/b", "%00", "ü"],
)
def test_a_manifest_that_is_not_kept_is_not_found(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/manifests/{name}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_name_with_other_drawn_bits_is_not_found(
    client: httpx.Client, record: Record, alg: str
) -> None:
    asked = {"alg": alg, "value": value(bytes.fromhex(record.content_id))}
    (name,) = names(client.get("/matches/byBinding", params=asked))
    other = name[:-1] + ("0" if name[-1] != "0" else "1")
    assert client.get(f"/manifests/{other}").status_code == 404


def test_what_is_no_picture_has_no_match(client: httpx.Client) -> None:
    answer = client.post("/matches/byContent", content=b"%PDF-1.7", headers={"content-type": JSON})
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_media_type"


def test_our_own_client_recovers_a_copy_through_our_own_server(
    client: httpx.Client, home: Home, pixels: Pixels
) -> None:
    """Without the ledger, as somebody elsewhere who trusts this house would ask."""
    copy = encode(pixels, "jpeg", quality=80)

    def asked(*resolvers: str) -> Report:
        from dataclasses import replace

        sources = Asked(resolvers=resolvers).sources
        return verify(copy, sources=replace(sources, trust=home.sources().trust))

    assert asked().verdict is Verdict.UNCONFIRMED
    found = asked(str(client.base_url))
    assert [item.state for item in found.resolution] == [State.TRUSTED]
    assert found.verdict is Verdict.RECOVERED, found.summary
    page = render([Item("copy.jpg", view(found, ledger_asked=False), None)], datetime.now(UTC))
    assert "What other services keep" in page


def test_the_command_line_asks_a_resolver_where_one_is_named(
    client: httpx.Client,
    home: Home,
    pixels: Pixels,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WARDMARK_HOME", str(tmp_path / "none"))
    copy, anchors = tmp_path / "copy.jpg", home.path / "keys" / "root.pem"
    copy.write_bytes(encode(pixels, "jpeg", quality=80))
    command = ["verify", str(copy), "--trust", str(anchors), "--json"]
    assert run(command) == 1
    assert run([*command, "--resolver", str(client.base_url)]) == 0
    alone, asked = capfd.readouterr().out.split("\n}\n{")
    assert '"verdict": "unconfirmed"' in alone
    assert '"verdict": "recovered"' in asked


def test_of_an_edit_the_active_manifest_comes_without_its_history(
    client: httpx.Client, home: Home, record: Record, delivered: list[bytes]
) -> None:
    embedded = find_store(edited(delivered[0], home.signer), "image/png")
    assert embedded is not None
    changes = {"content_id": "00000000000000e1", "sha256": "e1" * 32, "credential": embedded.store}
    home.ledger.record(record.model_copy(update=changes))
    path = "/manifests/00000000000000e1"
    whole = check_store(client.get(path).content, home.sources().trust).contents
    alone = client.get(path, params={"returnActiveManifest": "true"}).content
    assert whole is not None
    assert len(whole.history) == 2
    assert alone.startswith(len(alone).to_bytes(4) + b"jumb")
    (active,) = jumbf.parse(alone).root.children
    assert active.label == whole.manifest
