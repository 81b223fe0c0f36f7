"""API keys from the shell."""

from datetime import UTC, datetime, timedelta

from tests.cli.conftest import Wardmark

WRONG_USE = 2


def test_a_key_is_made_listed_rotated_and_revoked(wardmark: Wardmark) -> None:
    made = wardmark(
        *("api-keys", "create", "--label", "news [x]", "--role", "moderator", "--tenant", "news"),
        *("--scope", "read", "--scope", "console", "--region", "DE", "--age-verified"),
        *("--requests-per-minute", 30, "--pictures-per-day", 9, "--days", 90, "--json"),
    ).document
    token = made.pop("token")
    assert token.startswith("wm_" + made["id"].removeprefix("key_"))
    assert made["terms"]["limits"] == {"requests_per_minute": 30, "pictures_per_day": 9}
    until = datetime.fromisoformat(made["terms"]["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < until < timedelta(days=91)
    assert wardmark("api-keys", "list", "--json").document[0] == made
    listed = wardmark("api-keys", "list").out
    assert "news [x]" in listed
    assert token not in listed

    rotated = wardmark("api-keys", "rotate", made["id"], "--json").document
    assert rotated["id"] == made["id"]
    assert rotated["token"] not in (token, "")
    assert rotated["previous_until"] is not None
    assert wardmark("api-keys", "revoke", made["id"], "--json").document["state"] == "revoked"
    again = wardmark("api-keys", "revoke", made["id"])
    assert (again.code, "revoked" in again.err) == (WRONG_USE, True)


def test_people_see_the_token_on_stdout_and_advice_beside_it(wardmark: Wardmark) -> None:
    made = wardmark("api-keys", "create")
    assert len(made.out.split()) == 1
    assert made.out.startswith("wm_")
    assert "cannot be shown again" in made.err


def test_what_cannot_be_is_said_with_what_can(wardmark: Wardmark) -> None:
    for wrong, said in (
        (("create", "--role", "king"), "moderator"),
        (("create", "--scope", "fly"), "generate"),
        (("create", "--region", "Europe"), "region"),
        (("revoke", "key_0000000000000000"), "api-keys list"),
        (("rotate", "nothing", "--overlap", 1), "api-keys list"),
    ):
        ran = wardmark("api-keys", *wrong)
        assert (ran.code, said in ran.err) == (WRONG_USE, True), (wrong, ran)
