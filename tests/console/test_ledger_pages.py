"""The ledger in a browser: whatever somebody holds leads to an entry and its proof."""

from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from guard.console.views import ledger as views
from guard.gateway.callers import Role
from provenance.home import Home
from provenance.ledger import Checkpoint, verify_file
from tests.console.conftest import CALM, FIGHT, Console, complaints, sign_in, wait_for_text
from tests.support.accessibility import barriers


@pytest.fixture(scope="module")
def delivered(console: Console) -> str:
    return console.ask(CALM)


def test_an_entry_is_found_by_whatever_leads_to_it(home: Home, delivered: str) -> None:
    (entry,) = home.ledger.deliveries(delivered)
    record = entry.body["record"]
    for wanted in (delivered, entry.id, entry.id.upper(), record["sha256"], str(entry.index)):
        assert [one.index for one in views.find(home.ledger, wanted)] == [entry.index], wanted
    for nothing in ("dec_" + "0" * 16, "f" * 64, "no such entry", "999999"):
        assert list(views.find(home.ledger, nothing)) == []


def test_an_entry_is_proved_on_its_page(
    console: Console, desktop: Chrome, delivered: str
) -> None:
    sign_in(desktop, console, console.key(Role.AUDITOR))
    desktop.find_element(By.LINK_TEXT, "Ledger").click()
    wait_for_text(desktop, "The signed head")
    assert barriers(desktop) == []
    desktop.find_element(By.ID, "q").send_keys(delivered)
    desktop.find_element(By.XPATH, "//button[.='Find']").click()
    (entry,) = console.home.ledger.deliveries(delivered)
    wait_for_text(desktop, entry.id)
    desktop.find_element(By.LINK_TEXT, entry.id).click()
    wait_for_text(desktop, "Verified just now")
    assert barriers(desktop) == []
    assert complaints(desktop) == []


def test_proofs_and_the_checkpoint_are_kept_as_files(
    console: Console, delivered: str, tmp_path: Path
) -> None:
    (entry,) = console.home.ledger.deliveries(delivered)
    with console.client(console.key(Role.AUDITOR)) as client:
        kept = client.get("/ledger/proof", params={"id": entry.id})
        other = client.get("/ledger/proof", params={"id": entry.id, "form": "text"})
        head = client.get("/ledger/checkpoint")
    file = tmp_path / "proof.json"
    file.write_bytes(kept.content)
    keys = console.home.ledger.keys()
    assert verify_file(file, keys).kind == "inclusion"
    assert other.text.startswith("c2sp.org/tlog-proof@v1\n")
    assert Checkpoint.verified(head.text, keys).size <= console.home.ledger.size
    assert all("attachment" in one.headers["content-disposition"] for one in (kept, other, head))


def test_entries_are_listed_by_kind_and_time(console: Console, delivered: str) -> None:
    console.ask(FIGHT)
    with console.client(console.key(Role.AUDITOR)) as client:
        refusals = client.get("/ledger", params={"kind": "refusal"}).text
        assert "<code>refusal</code>" in refusals
        assert "<code>delivery</code>" not in refusals
        assert "No entry of that kind and time" in client.get(
            "/ledger", params={"kind": "refusal", "until": "2020-01-01T00:00"}
        ).text
        assert client.get("/ledger/entry", params={"id": "none"}).status_code == 404


def test_a_row_that_was_changed_is_not_called_proved(
    console: Console, delivered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = console.home.ledger.deliveries(delivered)
    real = console.home.ledger.prove

    def forged(entry_id: str) -> object:
        proof = real(entry_id)
        body = proof.leaf.body | {"seed": 999}
        return proof.model_copy(update={"leaf": proof.leaf.model_copy(update={"body": body})})

    monkeypatch.setattr(console.home.ledger, "prove", forged)
    with console.client(console.key(Role.AUDITOR)) as client:
        page = client.get("/ledger/entry", params={"id": entry.id}).text
    assert "not proved" in page
    assert "does not lead to the signed root" in page


def test_a_tenant_does_not_read_the_ledger_of_all(console: Console, delivered: str) -> None:
    (entry,) = console.home.ledger.deliveries(delivered)
    with console.client(console.key(Role.ADMIN, tenant="acme")) as client:
        for path in ("/ledger", "/ledger/checkpoint", "/keys"):
            assert client.get(path).status_code == 403
        for path in ("/ledger/entry", "/ledger/proof"):
            assert client.get(path, params={"id": entry.id}).status_code == 403
