"""A policy is changed while it is in force: whole, recorded, or not at all."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from guard.deployment import load_candidate
from guard.gateway import create_app
from guard.gateway.policy_change import follow
from guard.pipeline import Pipeline
from guard.policy_watch import KIND, PolicyWatch
from policies.candidate import Candidate
from policies.decision import Action
from policies.errors import PolicyInvalid
from policies.facts import Facts
from policies.load import load_policy
from provenance.errors import LedgerUnavailable
from provenance.home import Home, Settings
from provenance.ledger import Entry, Ledger
from tests.support.assessors import ScriptedImageAssessor
from tests.support.core import InMemoryCore
from tests.support.deployment import home, pipeline_of, with_provenance

__all__ = ["home"]

POLICY = """\
name: own
version: "{version}"
description: Of a test.
applies: Nowhere
includes: [base.yaml]
obligations: [watermark, credential, ledger]
rules:
  - id: code
    stage: image
    when: {{field: qr.present, op: is_true}}
    action: {action}
    message: No.
"""
BASE = """\
name: base
version: "1"
description: Of a test.
applies: Nowhere
rules:
  - id: lines
    stage: image
    when: {field: text.lines, op: ">", limit: 3}
    action: review
    message: No.
"""
CODE = Facts(stage="image", fields={"qr.present": True, "text.lines": 0})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    file = tmp_path / "own.yaml"
    file.write_text(POLICY.format(version="1", action="block"))
    return file


@pytest.fixture
def watch(home: Home, file: Path) -> PolicyWatch:
    return PolicyWatch(pipeline_of(home, policy=load_policy(file)), str(file))


def settle(watch: PolicyWatch) -> list[bool]:
    return [watch.look(), watch.look()]


def changes(home: Home) -> list[Entry]:
    return list(home.ledger.entries(kind=KIND))


def test_a_changed_file_is_in_force_and_on_record(
    home: Home, file: Path, watch: PolicyWatch
) -> None:
    before = watch.pipeline
    assert settle(watch) == [False, False]
    file.write_text(POLICY.format(version="2", action="review"))
    assert settle(watch) == [False, True]
    assert watch.pipeline.policy.decide(CODE).action is Action.REVIEW
    assert before.policy.decide(CODE).action is Action.BLOCK  # who began under it ends under it
    (entry,) = changes(home)
    assert entry.body["policy"] == watch.pipeline.policy.ref.model_dump()
    assert entry.body["previous_digest"] == before.policy.digest
    assert settle(watch) == [False, False]


def test_an_included_file_counts(file: Path, watch: PolicyWatch) -> None:
    digest = watch.pipeline.policy.digest
    (file.parent / "base.yaml").write_text(BASE.replace("limit: 3", "limit: 2"))
    assert settle(watch) == [False, True]
    assert watch.pipeline.policy.digest != digest


def test_a_broken_file_leaves_the_old_policy_in_force_and_is_told(
    home: Home, file: Path, watch: PolicyWatch
) -> None:
    before = watch.pipeline
    good = file.read_text()
    for broken in ("name: own\n", good.replace("is_true", "is_ture"), "\x00", ""):
        file.write_text(broken)
        assert settle(watch) == [False, False]
        assert watch.pipeline is before
        assert watch.fault is not None
        assert "own.yaml:" in watch.fault
    file.unlink()
    assert settle(watch) == [False, False]
    assert "no policy file" in (watch.fault or "")
    file.write_text(good)
    assert settle(watch) == [False, False]  # the same policy as before
    assert watch.fault is None
    assert changes(home) == []


def test_a_file_that_a_broken_one_includes_can_be_mended_alone(
    file: Path, watch: PolicyWatch
) -> None:
    file.write_text(POLICY.format(version="2", action="review").replace("base.yaml", "new.yaml"))
    assert settle(watch) == [False, False]
    assert "new.yaml" in (watch.fault or "")
    (file.parent / "new.yaml").write_text(BASE)
    assert watch.look()
    (file.parent / "new.yaml").write_text(BASE.replace("limit: 3", "limit: 2"))
    assert True in [watch.look() for _ in range(3)]


def test_a_file_that_is_still_being_written_is_not_taken(file: Path, watch: PolicyWatch) -> None:
    whole = POLICY.format(version="2", action="review")
    for length in range(len(whole) - 40, len(whole)):
        file.write_text(whole[:length])
        assert not watch.look()
        assert watch.fault is None
    file.write_text(whole)
    assert settle(watch) == [False, True]


def test_remarks_and_layout_are_no_change(home: Home, file: Path, watch: PolicyWatch) -> None:
    before = watch.pipeline
    file.write_text("# Looked through today.\n" + file.read_text())
    assert settle(watch) == [False, False]
    assert watch.pipeline is before
    assert watch.fault is None


def test_a_policy_that_could_not_be_kept_is_refused(home: Home, file: Path) -> None:
    unseen = ScriptedImageAssessor(covers=frozenset())
    core = InMemoryCore(domain="open")
    pipeline = pipeline_of(home, policy=load_policy(file), core=core, images=unseen)
    watch = PolicyWatch(pipeline, str(file))
    file.write_text("requires: [violence]\n" + file.read_text())
    assert settle(watch) == [False, False]
    assert watch.pipeline is pipeline
    assert "needs pictures assessed for violence" in (watch.fault or "")


class _Down(Ledger):
    """A ledger whose database is gone."""

    def __init__(self) -> None:
        pass

    def append(self, events: object) -> list[Entry]:
        raise LedgerUnavailable("the database is gone")


def test_a_change_that_cannot_be_recorded_waits(home: Home, file: Path) -> None:
    up = pipeline_of(home, policy=load_policy(file))
    watch = PolicyWatch(with_provenance(up, ledger=_Down()), str(file))
    file.write_text(POLICY.format(version="2", action="review"))
    assert settle(watch) == [False, False]
    assert "cannot be recorded" in (watch.fault or "")
    assert watch.pipeline.policy.version == "1"
    watch.pipeline = up  # the database is back
    assert watch.look()
    assert watch.pipeline.policy.version == "2"


def test_a_candidate_can_be_changed_while_it_is_on_trial(home: Home, file: Path) -> None:
    other = file.parent / "other.yaml"
    other.write_text(file.read_text().replace("name: own", "name: other"))
    settings = Settings(
        provider="Test", system_version="1", candidate=str(other), candidate_share=0.25
    )
    candidate = load_candidate(settings)
    assert candidate is not None
    whole = vars(pipeline_of(home, policy=load_policy(file)))
    watch = PolicyWatch(Pipeline(**whole | {"candidate": candidate}), str(file), str(other))
    other.write_text(other.read_text().replace("action: block", "action: label"))
    assert settle(watch) == [False, True]
    taken = watch.pipeline.candidate
    assert isinstance(taken, Candidate)
    assert (taken.share, taken.policy.decide(CODE).action) == (0.25, Action.LABEL)
    assert watch.pipeline.policy.decide(CODE).action is Action.BLOCK


def test_a_broken_candidate_is_told_at_the_start(file: Path) -> None:
    file.write_text("name: own\n")
    settings = Settings(provider="Test", system_version="1", candidate=str(file))
    with pytest.raises(PolicyInvalid):
        load_candidate(settings)


@pytest.fixture
def gateway(home: Home, file: Path) -> Iterator[tuple[TestClient, list[str], threading.Event]]:
    pipeline = pipeline_of(home, policy=load_policy(file))
    app = create_app(home, pipeline)
    said: list[str] = []
    told = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        told.set()

    stopped = follow(app, PolicyWatch(pipeline, str(file)), say, every=0.01)
    with TestClient(app, "http://localhost", client=("127.0.0.1", 4711)) as client:
        yield client, said, told
    stopped.set()


def test_a_running_gateway_takes_a_change_and_says_what_it_refuses(
    file: Path, gateway: tuple[TestClient, list[str], threading.Event]
) -> None:
    client, said, told = gateway
    assert client.get("/readyz").json()["policy"]["version"] == "1"
    file.write_text(POLICY.format(version="2", action="review"))
    assert told.wait(30)
    ready = client.get("/readyz").json()
    assert ready["policy"]["version"] == "2"
    assert "policy_refused" not in ready
    answer = client.post("/v1/moderations", json={"input": "a calm sea"}).json()
    assert answer["model"] == "own@2"
    told.clear()
    file.write_text("name: own\n")
    assert told.wait(30)
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["policy"]["version"] == "2"
    assert "own.yaml:1:1" in ready.json()["policy_refused"]
    assert "own 2 is in force now" in said[0]
    assert "own 2 stays in force" in said[1]


def test_a_change_that_several_processes_see_is_recorded_once(home: Home, file: Path) -> None:
    watches = [
        PolicyWatch(pipeline_of(home, policy=load_policy(file)), str(file)) for _ in range(3)
    ]
    for version in ("2", "3"):
        file.write_text(POLICY.format(version=version, action="block"))
        for watch in watches:
            assert settle(watch) == [False, True]
    assert len(changes(home)) == 2
