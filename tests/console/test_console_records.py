"""Data sets and checklists in a browser: reports are found, proved, held against their files."""

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from datasets_audit import AuditReport, audit
from datasets_audit.register import remember
from guard.console.views import checklists, data_sets
from guard.gateway.callers import Role
from provenance.home import Home
from provenance.picture import encode
from tests.console.conftest import Console, complaints, hidden, sign_in, wait_for_text
from tests.support.accessibility import barriers
from tests.support.core import textured_picture

NAME = "harbour"


@pytest.fixture(scope="module")
def report(home: Home, tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    """An audit on record, which the home remembers."""
    folder = tmp_path_factory.mktemp("audit")
    (folder / "pictures").mkdir()
    for number in range(4):
        pixels = textured_picture("a harbour", 96, 96, number // 2)  # two and two copies
        picture = folder / "pictures" / f"{number}.png"
        picture.write_bytes(encode(pixels, "png"))
    made = audit(
        folder / "pictures",
        name=NAME,
        ledger=home.ledger,
        out=folder / "out",
        secret=home.commitment_key,
    )
    remember(home.path, made, folder / "out")
    return made


def test_an_audit_is_read_proved_and_checked(
    console: Console, desktop: Chrome, report: AuditReport
) -> None:
    console.home.subjects.withdraw("somebody")
    sign_in(desktop, console, console.key(Role.AUDITOR))
    desktop.find_element(By.LINK_TEXT, "Data sets").click()
    wait_for_text(desktop, NAME)
    assert "somebody" not in desktop.page_source
    assert "Nobody has withdrawn" not in desktop.find_element(By.TAG_NAME, "main").text
    assert barriers(desktop) == []
    desktop.find_element(By.LINK_TEXT, NAME).click()
    wait_for_text(desktop, "Verified just now")
    assert f"{report.source.pictures:,} in" in desktop.find_element(By.TAG_NAME, "main").text
    desktop.find_element(By.XPATH, "//button[contains(., 'Check it')]").click()
    wait_for_text(desktop, "Every file, root, figure and the entry in the ledger agree.")
    assert barriers(desktop) == []
    desktop.find_element(By.LINK_TEXT, "Read the report").click()
    wait_for_text(desktop, NAME)
    assert complaints(desktop) == []


def test_a_report_that_was_changed_is_not_shown_as_ours(
    console: Console, report: AuditReport
) -> None:
    folder = data_sets.report_of(console.home, report.root).parent
    with console.client(console.key(Role.AUDITOR)) as client:
        page = client.get(f"/data-sets/{report.root}")
        csrf = {"csrf": hidden(page.text, "csrf")}
        name = next(iter(report.files))
        good = (folder / name).read_bytes()
        (folder / name).write_bytes(good + b" ")
        try:
            checked = client.post(f"/data-sets/{report.root}/check", data=csrf)
            assert "does not say what its files say" in checked.text
            assert name in checked.text
        finally:
            (folder / name).write_bytes(good)
        document = folder / "report.json"
        text = document.read_text(encoding="utf-8")
        document.write_text(text.replace(NAME, "other"), encoding="utf-8")
        try:
            assert "does not lie where it was written" in client.get(
                f"/data-sets/{report.root}"
            ).text
            assert client.get(f"/data-sets/{report.root}/report").status_code == 400
        finally:
            document.write_text(text, encoding="utf-8")


def test_a_report_runs_and_loads_nothing(console: Console, report: AuditReport) -> None:
    with console.client(console.key(Role.AUDITOR)) as client:
        headers = client.get(f"/data-sets/{report.root}/report").headers
        assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        for root in ("0" * 64, "..%2F..%2Fledger", "x"):
            assert client.get(f"/data-sets/{root}/report").status_code == 404


def test_checklists_stand_as_on_the_command_line(home: Home, report: AuditReport) -> None:
    for summary in checklists.summaries(home):
        framework, items = checklists.items(home, summary.name)
        assert summary.items == len(framework.controls) == len(items)
        assert summary.counts["gap"] == sum(one.status == "gap" for one in items)


def test_a_checklist_says_why_and_what_next(
    console: Console, desktop: Chrome, report: AuditReport
) -> None:
    sign_in(desktop, console, console.key(Role.AUDITOR))
    desktop.find_element(By.LINK_TEXT, "Checklists").click()
    wait_for_text(desktop, "whether a law is met is for people to judge")
    assert barriers(desktop) == []
    desktop.find_element(By.CSS_SELECTOR, "[data-row]").click()
    wait_for_text(desktop, "Rests on")
    desktop.find_element(By.CSS_SELECTOR, "#status option[value=gap]").click()
    desktop.find_element(By.XPATH, "//button[.='Show']").click()
    wait_for_text(desktop, "Next:")
    states = {one.text for one in desktop.find_elements(By.CSS_SELECTOR, "tbody .badge")}
    assert states == {"gap"}
    assert barriers(desktop) == []


def test_records_are_for_those_who_see_all_tenants(console: Console, report: AuditReport) -> None:
    with console.client(console.key(Role.AUDITOR, tenant="acme")) as client:
        for path in ("/data-sets", f"/data-sets/{report.root}", "/checklists", "/checklists/x"):
            assert client.get(path).status_code == 403
    with console.client(console.key(Role.AUDITOR)) as client:
        assert client.get("/checklists/no-such-law").status_code == 404
        assert client.get("/checklists/eu-ai-act?status=fine").status_code == 400


def test_record_pages_fit_a_phone(console: Console, phone: Chrome, report: AuditReport) -> None:
    sign_in(phone, console, console.key(Role.AUDITOR))
    for path in ("/data-sets", f"/data-sets/{report.root}", "/checklists", "/checklists/eu-ai-act"):
        phone.get(console.url + path)
        assert barriers(phone) == [], path
