"""Pictures that moderators ruled on, as labelled data for ``wardmark evaluate images``.

Only where the settings say ``[review] label = true``. A picture is sealed under the key of its
decision, as what is held is: ``wardmark withdraw --subject DECISION_ID`` ends it, and so does the
end of its time.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import cbor2
import orjson
from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from guard.assessment import Region
from guard.errors import InvalidRequest
from guard.pipeline.held import Held
from guard.review.tables import ruled as table
from policies.categories import CATEGORIES
from policies.decision import Decision
from provenance.errors import (
    LedgerCorrupt,
    LedgerUnavailable,
    OutputFailed,
    RetentionInvalid,
    SubjectForgotten,
)
from provenance.home import Home
from provenance.ledger.database import Database
from provenance.ledger.event import format_time
from provenance.picture import encode, write_atomically

KIND = "review.labelled"  # of the retention plan
SOURCE = "review"  # of the labels
_SCORE = "score."  # of a policy's fields
_c = table.c


class Ruled(NamedTuple):
    """One picture. ``regions``: what the assessor objected to; ``categories``: what the policy held
    it for, and neither where a person let it pass."""

    decision_id: str
    picture: int
    unsafe: bool
    categories: frozenset[str]
    regions: tuple[Region, ...]
    png: bytes


class RuledPictures:
    """Keeps and gives them. Safe to share between threads, and between processes."""

    def __init__(
        self, home: Home, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._home = home
        self._database = Database(home.ledger_url)
        self._clock = clock

    def keep(self, held: Held, *, refused: bool) -> None:
        """Keep the picture of ``held`` with the ruling on it; the same ruling again changes
        nothing. What was held before anything was drawn has no picture.

        Raises LedgerUnavailable where it cannot be sealed and kept.
        """
        if held.draft is None or held.picture is None:
            return
        label = {
            "unsafe": refused,
            "categories": sorted(held_for(held.decision)) if refused else [],
            "regions": [r.model_dump(mode="json") for r in held.regions if r.category and refused],
            "png": encode(held.draft.pixels, "png"),
        }
        subjects = self._home.subjects
        try:
            days = subjects.days_kept(KIND)
            key, sealed = subjects.seal_bytes(KIND, held.decision_id, bytes(cbor2.dumps(label)))
        except RetentionInvalid as error:
            raise LedgerUnavailable(f"no ruling can be kept as a label here: {error}") from error
        now = self._clock()
        until = now + timedelta(days=days) if days is not None else datetime.max.replace(tzinfo=UTC)
        row = {
            "decision_id": held.decision_id,
            "picture": held.picture,
            "ruled_at": format_time(now),
            "expires_at": format_time(until),
            "key": key,
            "sealed": sealed,
        }
        with self._database.changing() as connection:
            self._drop(connection, held.decision_id, held.picture)
            connection.execute(insert(table).values(row))

    def all(self) -> Iterator[Ruled]:
        """Every one whose time is not over and that nobody erased, oldest first; others go.

        Raises LedgerUnavailable, LedgerCorrupt.
        """
        with self._database.changing() as connection:
            connection.execute(delete(table).where(self._over()))
        with self._database.reading() as connection:
            query = select(table).where(~self._over())
            rows = connection.execute(query.order_by(_c.ruled_at, _c.decision_id)).all()
        for row in rows:
            try:
                plain = self._home.subjects.open_bytes(row.key, bytes(row.sealed))
            except SubjectForgotten:
                with self._database.changing() as connection:
                    self._drop(connection, row.decision_id, row.picture)
                continue
            yield _ruled(row.decision_id, row.picture, plain)

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def _drop(self, connection: Connection, decision_id: str, picture: int) -> None:
        this = and_(_c.decision_id == decision_id, _c.picture == picture)
        connection.execute(delete(table).where(this))

    def _over(self) -> ColumnElement[bool]:
        return _c.expires_at <= format_time(self._clock())


def held_for(decision: Decision) -> frozenset[str]:
    """The categories whose scores are among the reasons of a decision."""
    fields = {clause.field for reason in decision.reasons for clause in reason.because}
    return frozenset(f.removeprefix(_SCORE) for f in fields if f.startswith(_SCORE)) & set(
        CATEGORIES
    )


def export_ruled(home: Home, folder: Path) -> int:
    """Write all pictures and ``labels.jsonl`` into an empty or new ``folder``; how many there are.

    Raises InvalidRequest where the settings do not allow it or the folder holds something,
    OutputFailed, and what ``RuledPictures.all`` raises.
    """
    if not home.settings.review.label:
        raise InvalidRequest(
            "the settings do not allow it; set [review] label = true in wardmark.toml, and rulings"
            " from then on are kept as labelled pictures"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise OutputFailed(f"{folder} cannot be written: {error.strerror}; name another") from error
    if taken:
        raise InvalidRequest(f"{folder} holds something already; name a new folder")
    pictures = RuledPictures(home)
    lines = []
    for one in pictures.all():
        name = f"{one.decision_id}-{one.picture}.png"
        write_atomically(folder / name, one.png)
        lines.append(orjson.dumps(_label(name, one)))
    pictures.close()
    write_atomically(folder / "labels.jsonl", b"".join(line + b"\n" for line in lines))
    return len(lines)


def _label(name: str, one: Ruled) -> dict[str, object]:
    boxes = [
        {"x": r.x, "y": r.y, "width": r.width, "height": r.height, "label": r.category}
        for r in one.regions
    ]
    return {
        "image": name,
        "unsafe": one.unsafe,
        "categories": sorted(one.categories),
        "source": SOURCE,
        "boxes": boxes,
    }


def _ruled(decision_id: str, picture: int, plain: bytes) -> Ruled:
    try:
        label = cbor2.loads(plain)
        return Ruled(
            decision_id=decision_id,
            picture=picture,
            unsafe=bool(label["unsafe"]),
            categories=frozenset(label["categories"]),
            regions=tuple(map(Region.model_validate, label["regions"])),
            png=label["png"],
        )
    except (cbor2.CBORDecodeError, ValidationError, KeyError, TypeError) as error:
        raise LedgerCorrupt(
            f"the label of {decision_id} cannot be read: another version kept it; end it with "
            f"wardmark withdraw --subject {decision_id}"
        ) from error
