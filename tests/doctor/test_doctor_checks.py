"""Each check finds the one thing that it is for, and says what to do."""

import os
import shutil
import sqlite3
import tarfile
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

import migrations
from guard.doctor import CHECKS, Limits, State
from guard.gateway.callers.keys import ApiKeys, KeyTerms
from provenance.home import Home
from provenance.keys import create_development_signer
from provenance.ledger import Event, Ledger, LedgerKey
from provenance.ledger.forgetting import KeyStore, write_copy
from provenance.ledger.leader import Leader
from provenance.ledger.witness import FileWitness
from tests.doctor.conftest import Look, failing, of, set_in, warned
from tests.ledger.postgresql import MISSING, Server, binaries

DAY = timedelta(days=1)


def test_a_healthy_home_fails_no_check_and_each_is_answered(look: Look) -> None:
    found = look(everything=True)
    assert failing(found) == set()
    assert found.exit_code() == 0
    assert list(dict.fromkeys(f.check for f in found.findings)) == [check.name for check in CHECKS]
    assert all(f.mend for f in found.findings if f.state is State.WARN)


def test_a_warning_is_an_answer_only_where_it_was_asked_to_be(look: Look) -> None:
    found = look()
    assert "DEVELOPMENT" in warned(found)
    assert (found.exit_code(), found.exit_code(strict=True)) == (0, 1)


def test_settings_that_do_not_parse_leave_nothing_passed_that_needs_them(
    home: Path, look: Look
) -> None:
    set_in(home, 'policy = "default"', "policy = default")
    found = look()
    assert failing(found) == {"settings"}
    assert found.exit_code() == 1
    assert {f.state for f in of(found, "ledger")} == {State.NOT_CHECKED}


def test_a_list_that_the_settings_name_must_be_there(home: Path, look: Look) -> None:
    set_in(home, "known_content = []", 'known_content = ["absent.txt"]')
    assert failing(look()) == {"settings"}


@pytest.mark.parametrize("name", ["commitment.key", "keys/signer.pem", "keys/issuing.key"])
def test_a_secret_that_others_can_read_is_found(home: Path, look: Look, name: str) -> None:
    (home / name).chmod(0o640)
    (finding,) = of(look(), "permissions")
    assert (finding.state, finding.mend.split(";")[0]) == (
        State.FAIL,
        f"Run: chmod 600 {home / name}",
    )


def test_a_folder_in_which_others_could_exchange_keys_is_found(home: Path, look: Look) -> None:
    (home / "keys").chmod(0o777)
    assert failing(look()) == {"permissions"}


def test_a_password_in_the_settings_makes_them_a_secret(home: Path, look: Look) -> None:
    (home / "wardmark.toml").chmod(0o644)
    assert failing(look()) == set()
    url = "postgresql://gateway:hidden@127.0.0.1:1/wardmark"
    set_in(home, 'database = ""', f'database = "{url}"')
    assert "permissions" in failing(look())


def test_a_full_disk_is_seen_before_the_ledger_fails(home: Path, look: Look) -> None:
    free = shutil.disk_usage(home).free
    assert failing(look(limits=Limits(free_space=2 * free))) == {"disk"}
    assert "disk" in warned(look(limits=Limits(free_space=free // 2)))


def test_a_database_that_does_not_answer_is_unavailable(home: Path, look: Look) -> None:
    set_in(home, 'database = ""', 'database = "postgresql://nobody@127.0.0.1:1/wardmark"')
    found = look()
    assert failing(found) == {"database"}
    assert found.exit_code() == 4


def test_a_schema_of_an_earlier_version_is_to_be_upgraded(home: Path, look: Look) -> None:
    with closing(sqlite3.connect(home / "ledger.db")) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = '0001'")
    found = look()
    assert failing(found) == {"migrations"}
    assert "python -m migrations" in of(found, "migrations")[0].says


def test_an_entry_that_was_changed_is_found_by_verifying_all(home: Path, look: Look) -> None:
    with Ledger(f"sqlite:///{home / 'ledger.db'}", Home.open(home).ledger_key) as ledger:
        ledger.append([Event("test", {"n": n}) for n in range(600)])
    with closing(sqlite3.connect(home / "ledger.db")) as opened, opened:
        for (name,) in list(opened.execute("SELECT name FROM sqlite_master WHERE type='trigger'")):
            opened.execute(f"DROP TRIGGER {name}")
        opened.execute("""UPDATE event SET body = '{"n":7}' WHERE seq = 5""")
    assert failing(look()) == set()  # the tiles still lead to the root
    found = look(whole=True)
    assert failing(found) == {"ledger"}
    assert found.exit_code() == 4


def test_a_last_entry_that_was_changed_is_found_at_once(home: Path, look: Look) -> None:
    with closing(sqlite3.connect(home / "ledger.db")) as opened, opened:
        for (name,) in list(opened.execute("SELECT name FROM sqlite_master WHERE type='trigger'")):
            opened.execute(f"DROP TRIGGER {name}")
        opened.execute("""UPDATE event SET body = '{"version":"2"}'""")
    assert failing(look()) == {"ledger"}


def test_a_clock_behind_the_ledger_is_found(home: Path, look: Look) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    key = Home.open(home).ledger_key
    with Ledger(f"sqlite:///{home / 'ledger.db'}", key, clock=lambda: ahead) as ledger:
        ledger.append([Event("test", {})])
    found = look()
    assert failing(found) == {"clock"}
    assert found.exit_code() == 1


def test_a_witness_that_has_not_been_asked_lately_is_missed(
    home: Path, look: Look, tmp_path: Path
) -> None:
    assert "no witness has ever" in warned(look())
    witness = FileWitness.create(tmp_path / "witness", "example.com/witness")
    opened = Home.open(home)
    with closing(opened.ledger) as ledger:
        witness.trust(opened.ledger_key.public)
        ledger.cosign(witness)
        assert "witnesses" not in warned(look())
        ledger.append([Event("test", {})])
    assert "1 entries came since" in warned(look(now=datetime.now(UTC) + 8 * DAY))


def test_a_certificate_that_ended_signs_nothing(home: Path, look: Look) -> None:
    create_development_signer(home / "keys", now=datetime.now(UTC) - 400 * DAY)
    found = look(everything=True)
    assert failing(found) == {"signer", "trust"}
    assert found.exit_code() == 4
    assert {f.state for f in of(found, "policy")} == {State.NOT_CHECKED}


def test_a_certificate_is_to_be_replaced_before_it_ends(home: Path, look: Look) -> None:
    create_development_signer(home / "keys", now=datetime.now(UTC) - 340 * DAY)
    found = look()
    assert failing(found) == set()
    assert "signer" in warned(found)
    assert "24 days are left" in warned(found)


def test_a_list_of_anchors_that_is_missing_is_found(home: Path, look: Look) -> None:
    (home / "keys" / "root.pem").unlink()
    assert failing(look()) == {"trust"}


def test_a_home_that_does_not_believe_its_own_signer_is_told(
    home: Path, look: Look, tmp_path: Path
) -> None:
    create_development_signer(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "root.pem", home / "keys" / "root.pem")
    assert "does not believe its own signer" in warned(look())


def test_time_stamps_without_an_authority_are_no_time_stamps(home: Path, look: Look) -> None:
    assert "time-stamps" in warned(look())
    set_in(home, 'policy = "off"', 'policy = "required"')
    assert failing(look()) == {"time-stamps"}


def test_keys_of_marks_that_are_gone_are_unavailable(home: Path, look: Look) -> None:
    (home / "mark.keys").unlink()
    found = look()
    assert failing(found) == {"marks"}
    assert found.exit_code() == 4


def test_a_guard_that_cannot_be_loaded_is_unavailable(home: Path, look: Look) -> None:
    set_in(
        home, "", '[[prompt_guards]]\nname = "own"\nkind = "classifier"\ndirectory = "absent"\n'
    )
    found = look(everything=True)
    assert failing(found) == {"guards"}
    assert {f.state for f in of(found, "policy")} == {State.NOT_CHECKED}


def test_a_core_whose_files_are_others_is_unavailable(look: Look, tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    found = look(core=str(tmp_path / "core"))
    assert failing(found) == {"core"}
    assert found.exit_code() == 4


@pytest.mark.slow
def test_the_core_draws_where_it_is_asked_to(look: Look) -> None:
    assert [f.state for f in of(look(draw=True), "core")] == [State.OK]
    assert State.NOT_CHECKED in {f.state for f in of(look(), "core")}


RULE = """\
name: own
version: "1"
applies: here
description: A test.
rules:
  - id: never
    stage: prompt
    when:
      all:
        - {field: language, op: "==", limit: en}
        - {field: language, op: "==", limit: de}
    action: block
    message: Never.
"""


def test_a_rule_that_can_never_fire_is_told_with_its_line(
    home: Path, look: Look, tmp_path: Path
) -> None:
    policy = tmp_path / "own.yaml"
    policy.write_text(RULE)
    set_in(home, 'policy = "default"', f'policy = "{policy}"')
    found = look(everything=True)
    assert failing(found) == set()
    assert f"{policy}:9:" in warned(found)
    assert "unreachable" in warned(found)


def test_a_policy_that_cannot_be_kept_is_unavailable(
    home: Path, look: Look, tmp_path: Path
) -> None:
    policy = tmp_path / "own.yaml"
    policy.write_text(RULE.replace("action: block", "action: label\n    obligations: [retention]"))
    set_in(home, 'policy = "default"', f'policy = "{policy}"')
    found = look(everything=True)
    assert failing(found) == {"policy"}
    assert found.exit_code() == 4


def test_a_candidate_that_does_not_load_is_told_before_the_start(home: Path, look: Look) -> None:
    set_in(home, 'candidate = ""', 'candidate = "absent.yaml"')
    assert "candidate" in failing(look())


def test_a_store_of_subjects_keys_that_is_gone_is_found(home: Path, look: Look) -> None:
    (home / "subject-keys.db").unlink()
    assert failing(look()) == {"subject-keys"}


def test_a_copy_does_not_stand_in_for_the_store_of_keys(
    home: Path, look: Look, tmp_path: Path
) -> None:
    with KeyStore(f"sqlite:///{home / 'subject-keys.db'}") as keys:
        write_copy(keys, tmp_path / "copy.db", DAY)
    shutil.copy(tmp_path / "copy.db", home / "subject-keys.db")
    assert "subject-keys" in failing(look())


def test_a_withdrawal_that_was_not_carried_out_is_found(home: Path, look: Look) -> None:
    with closing(Home.open(home).ledger) as ledger:
        ledger.append([Event("consent.withdrawn", {"subject": "ab" * 32})])
    assert failing(look()) == {"subject-keys"}


def test_keys_beside_the_ledger_are_warned_of_and_elsewhere_are_not(
    home: Path, look: Look, tmp_path: Path
) -> None:
    assert "beside the ledger" in warned(look())
    (tmp_path / "apart").mkdir()
    (home / "subject-keys.db").rename(tmp_path / "apart" / "subject-keys.db")
    set_in(home, 'subject_keys = ""', f'subject_keys = "sqlite:///{tmp_path}/apart/subject-keys.db"')
    assert "subject-keys" not in warned(look())


@pytest.mark.skipif(binaries() is None, reason=MISSING)
def test_ledger_and_keys_on_one_server_are_warned_of(home: Path, look: Look) -> None:
    with Server(binaries()) as server:  # type: ignore[arg-type]
        urls = [
            make_url(server.url).set(database=n).render_as_string() for n in ("ledger", "keys")
        ]
        engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in ("ledger", "keys"):
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        migrations.upgrade(urls[0])
        KeyStore.create(urls[1]).close()
        with Ledger(urls[0], LedgerKey.load(home / "ledger.key")) as ledger:
            ledger.append([Event("test", {})])
        set_in(home, 'database = ""', f'database = "{urls[0]}"')
        set_in(home, 'subject_keys = ""', f'subject_keys = "{urls[1]}"')
        found = look()
    assert failing(found) == set()
    assert "holds ledger and keys" in warned(found)


@pytest.mark.skipif(binaries() is None, reason=MISSING)
def test_a_home_without_the_ledgers_key_needs_a_sequencer_that_leads(
    home: Path, look: Look
) -> None:
    with Server(binaries()) as server:  # type: ignore[arg-type]
        migrations.upgrade(server.url)
        key = LedgerKey.load(home / "ledger.key")
        with Ledger(server.url, key) as ledger:
            ledger.append([Event("test", {})])
        set_in(home, 'database = ""', f'database = "{server.url}"')
        (home / "ledger.key").unlink()
        found = look()
        assert failing(found) == {"sequencer"}
        assert found.exit_code() == 4
        leader, stop, elected = Leader(server.url, key), threading.Event(), threading.Event()
        leading = threading.Thread(target=leader.run, args=(stop, elected.set))
        leading.start()
        try:
            assert elected.wait(30)
            assert failing(look()) == set()
        finally:
            stop.set()
            leading.join()
            leader.close()


@pytest.mark.skipif(find_spec("redis") is None, reason="needs pip install 'wardmark[redis]'")
def test_a_redis_that_does_not_answer_is_unavailable(home: Path, look: Look) -> None:
    set_in(home, "", '\n[callers]\nredis = "redis://127.0.0.1:1/0"\n')
    found = look()
    assert failing(found) == {"limits"}
    assert found.exit_code() == 4


def _backed_up(home: Path, folder: Path) -> Path:
    folder.mkdir()
    with closing(sqlite3.connect(home / "ledger.db")) as opened:
        opened.execute("VACUUM INTO ?", (str(folder / "ledger.db"),))
    return folder


def test_a_backup_that_verifies_is_told_and_its_age(
    home: Path, look: Look, tmp_path: Path
) -> None:
    folder = _backed_up(home, tmp_path / "backup")
    assert [f.state for f in of(look(backup=folder), "backups")] == [State.OK]
    assert "backups" in warned(look(backup=folder, now=datetime.now(UTC) + 3 * DAY))


def test_a_folder_without_a_backup_is_none(look: Look, tmp_path: Path) -> None:
    assert failing(look(backup=tmp_path / "nothing")) == {"backups"}


def test_keys_of_subjects_beside_a_backup_of_the_ledger_are_found(
    home: Path, look: Look, tmp_path: Path
) -> None:
    folder = _backed_up(home, tmp_path / "backup")
    with tarfile.open(folder / "home.tar", "w") as archive:
        archive.add(home / "subject-keys.db", "home/subject-keys.db")
    assert failing(look(backup=folder)) == {"backups"}


def test_a_backup_of_another_history_is_found(home: Path, look: Look, tmp_path: Path) -> None:
    folder = _backed_up(home, tmp_path / "backup")
    key = Home.open(home).ledger_key
    with Ledger(f"sqlite:///{folder / 'ledger.db'}", key) as fork:
        fork.append([Event("test", {"of": "a fork"})])
    with closing(Home.open(home).ledger) as ledger:
        ledger.append([Event("test", {"of": "the ledger"})])
    found = look(backup=folder)
    assert failing(found) == {"backups"}


def test_strangers_must_not_reach_a_gateway_that_knows_nobody(home: Path, look: Look) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - named, not listened on
    assert failing(look(host=everywhere)) == {"callers"}
    opened = Home.open(home)
    with closing(opened.ledger), closing(ApiKeys.of(opened)) as keys:
        keys.create(KeyTerms(label="test"))
    assert failing(look(host=everywhere)) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_secrets_of_another_account_are_warned_of(home: Path, look: Look) -> None:
    os.chown(home / "ledger.key", 65534, 65534)
    assert "belongs to user 65534" in warned(look())
