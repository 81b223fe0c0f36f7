# ruff: noqa: S608 - the statements are our own
"""The rights that docs/ledger-postgresql.md gives to each role are enough, and no more."""

import re
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from deliveries import a_record
from sqlalchemy import create_engine, exc, make_url

from provenance.errors import LedgerUnavailable
from provenance.ledger import Event, Ledger, LedgerKey
from provenance.ledger.leader import Leader
from provenance.ledger.tables import metadata

PAGE = Path(__file__).parents[2] / "docs" / "ledger-postgresql.md"
READER, WRITER, SEQUENCER = "reader", "writer", "sequencer"
GATEWAY = "gateway"  # one of several, each of which is a writer
ROLES = (READER, GATEWAY, WRITER, SEQUENCER)
APPEND_ONLY = sorted(set(metadata.tables) - {"queue"})


@pytest.fixture
def roles(postgresql_url: str) -> Iterator[dict[str, str]]:
    """The URL of the ledger in each role. Roles belong to the whole server: ours have own names."""
    (statements,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    mine = f"ledger_{uuid.uuid4().hex[:8]}_"
    engine = create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statements.replace("ledger_", mine))
        connection.exec_driver_sql(f"CREATE ROLE {mine}gateway LOGIN IN ROLE {mine}writer")
    url = make_url(postgresql_url)
    yield {
        role: url.update_query_dict({"options": f"-c role={mine}{role}"}).render_as_string(
            hide_password=False
        )
        for role in ROLES
    }
    with engine.begin() as connection:
        for role in ROLES:
            connection.exec_driver_sql(f"DROP OWNED BY {mine}{role}; DROP ROLE {mine}{role}")
    engine.dispose()


def denied(url: str, statement: str) -> bool:
    """Whether the role may not even try: the right is lacking before any trigger is asked."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
    except exc.ProgrammingError as error:
        return getattr(error.orig, "sqlstate", None) == "42501"
    finally:
        engine.dispose()
    return False


def did(url: str, statement: str) -> int:
    """How many rows the role could touch."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return connection.exec_driver_sql(statement).rowcount
    finally:
        engine.dispose()


@pytest.mark.parametrize("role", ROLES)
def test_no_role_may_change_or_remove_what_stands(roles: dict[str, str], role: str) -> None:
    for table in APPEND_ONLY:
        column = metadata.tables[table].columns.keys()[0]
        assert denied(roles[role], f"UPDATE {table} SET {column} = {column}"), table
        assert denied(roles[role], f"DELETE FROM {table}"), table
        assert denied(roles[role], f"TRUNCATE {table} CASCADE"), table


@pytest.mark.parametrize("role", [READER, WRITER, GATEWAY])
def test_only_a_sequencer_may_put_anything_in(roles: dict[str, str], role: str) -> None:
    for table in APPEND_ONLY:
        assert denied(roles[role], f"INSERT INTO {table} SELECT * FROM {table}"), table


def test_a_writer_sees_and_takes_back_its_own_tickets_alone(roles: dict[str, str]) -> None:
    assert did(roles[WRITER], "INSERT INTO queue (content) VALUES ('mine')") == 1
    assert did(roles[GATEWAY], "INSERT INTO queue (content) VALUES ('theirs')") == 1
    assert did(roles[GATEWAY], "DELETE FROM queue WHERE content = 'mine'") == 0
    assert did(roles[WRITER], "DELETE FROM queue WHERE content = 'theirs'") == 0
    for role, seen in ((WRITER, 1), (GATEWAY, 1), (SEQUENCER, 2)):
        assert did(roles[role], "SELECT * FROM queue") == seen
    for statement in (
        "INSERT INTO queue (content, writer) VALUES ('forged', 'somebody')",
        "UPDATE queue SET writer = 'somebody'",
        "TRUNCATE queue",
    ):
        assert denied(roles[GATEWAY], statement)
    assert denied(roles[READER], "SELECT * FROM queue")
    assert did(roles[GATEWAY], "DELETE FROM queue") == 1
    assert did(roles[SEQUENCER], "DELETE FROM queue") == 1


def test_each_role_can_do_its_work(roles: dict[str, str], key: LedgerKey) -> None:
    leader, stop = Leader(roles[SEQUENCER], key), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(leader.run, stop)
        with Ledger(roles[WRITER], key.public) as writer:
            writer.append([Event("test", {"n": n}) for n in range(300)])
            writer.record(a_record(1))
        with Ledger(roles[GATEWAY], key.public) as gateway:
            gateway.append_batch("b", "test", [{"n": n} for n in range(3)])
        stop.set()
        run.result()
    leader.close()
    with Ledger(roles[SEQUENCER], key) as owner:
        owner.append([Event("test", {})])
        owner.record(a_record(2))
    with Ledger(roles[READER], key.public) as reader:
        assert reader.verify().ok
        assert reader.size == 306
        with pytest.raises(LedgerUnavailable, match=r"lacks a right; docs/ledger-postgresql\.md"):
            reader.append([Event("test", {})])
