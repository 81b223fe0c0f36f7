"""docs/policies.md says what the code does, in full and nothing else."""

import re
import tomllib
from pathlib import Path

import pytest
import typer

import policies.errors
import policies.lint
from guard.cli.policy import app
from guard.gateway.policy_change import LOOK_EVERY
from guard.policy_replay import MAX_EXAMPLES
from guard.policy_watch import KIND
from policies.cases import Cases
from policies.decision import Action, Obligation
from policies.faults import model_of
from policies.fields import FIELDS
from policies.language import OPERATORS, OnMissing, Operator, Rule, Service
from policies.load import MAX_DEPTH as MAX_INCLUDE_DEPTH
from policies.load import document_of, list_policies
from policies.source import MAX_BYTES, MAX_DEPTH, read_source
from policies.written import MAX_INCLUDES, Changes, Override, PolicyFile
from provenance.home import Settings

DOCS = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)


def table(name: str) -> list[list[str]]:
    """Cells of the table under the remark ``name``, without its head."""
    text = DOCS.split(f"<!-- {name} -->\n")[1].split("\n\n")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines()[2:]]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows]


def first_cells(name: str) -> list[str]:
    return [row[0] for row in table(name)]


def test_every_operator_is_documented_with_its_opposite_and_its_types() -> None:
    assert first_cells("operators") == [op.value for op in sorted(Operator, key=_place)]
    for name, opposite, kinds, _ in table("operators"):
        op = Operator(name)
        assert op.opposite == opposite
        assert set(re.sub(r"\(.*?\)", "", kinds).replace(" ", "").split(",")) == {
            kind.value for kind, allowed in OPERATORS.items() if op in allowed
        }


def _place(op: Operator) -> int:
    return list(Operator).index(op)


def test_every_field_is_documented_with_its_type_and_meaning() -> None:
    assert [(row[0], row[1], row[3]) for row in table("fields")] == [
        (field.name, field.kind.value, field.meaning) for field in FIELDS.values()
    ]


def test_every_action_obligation_and_setting_is_documented() -> None:
    assert first_cells("actions") == [action.value for action in Action]
    assert first_cells("obligations") == [obligation.value for obligation in Obligation]
    assert first_cells("on_missing") == [setting.value for setting in OnMissing]


def test_every_finding_of_the_lint_is_documented() -> None:
    listed = re.findall(r"^ *([a-z-]+) {2,}[a-z]", policies.lint.__doc__ or "", re.MULTILINE)
    source = Path(policies.lint.__file__).read_text(encoding="utf-8")
    made = set(re.findall(r'(?:add\(\s*|code=)"([a-z-]+)"', source))
    assert first_cells("findings") == listed
    assert set(listed) == made


def test_every_key_is_documented() -> None:
    keys = DOCS.split("The keys of a document are ")[1].split("Any other key")[0]
    assert set(re.findall(r"set: \{(\w+)", DOCS)) <= set(Changes.model_fields)
    named = re.findall(r"`([a-z_]+)`", keys)
    assert named == [*PolicyFile.model_fields, *Rule.model_fields]
    keys = DOCS.split("held to the same rules. Its keys")[1].split("\n\n")[0]
    named = [word for word in re.findall(r"`([a-z_]+)`", keys) if word != "serves"]
    assert named == [*Override.model_fields, *Service.model_fields]


@pytest.mark.parametrize(
    "name", ["PolicyInvalid", "PolicyNotFound", "PolicyUnreadable", "FactMissing"]
)
def test_errors_are_documented_with_their_codes(name: str) -> None:
    error = getattr(policies.errors, name)
    assert f"| `{name}` | {error.exit_code} | {error.http_status} | `{error.code}` |" in DOCS


def test_limits_and_packs_are_documented() -> None:
    assert f"{MAX_BYTES:,} bytes" in DOCS
    assert f"{MAX_DEPTH} nested levels" in DOCS
    assert f"{MAX_INCLUDE_DEPTH} deep, {MAX_INCLUDES} in one file" in DOCS
    served = {row[0]: [line for line in row[2].split(", ") if line] for row in table("packs")}
    assert served == {
        pack.name: [one.line for one in pack.document.serves] for pack in list_policies()
    }


def test_every_command_is_documented_and_exists() -> None:
    commands = typer.main.get_command(app).list_commands(None)  # type: ignore[attr-defined]
    assert set(re.findall(r"wardmark policy ([a-z]+)", DOCS)) == set(commands)


def test_the_settings_and_limits_of_changes_are_documented() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
    assert tomllib.loads(example).keys() <= Settings.model_fields.keys()
    assert f"up to {MAX_EXAMPLES:,}" in DOCS
    assert LOOK_EVERY == 1.0
    assert f"`{KIND}`" in DOCS


def test_the_examples_load() -> None:
    document, including, cases = BLOCKS
    assert document_of(read_source(document, "gallery.yaml")).name == "gallery"
    night = {rule.id: rule for rule in document_of(read_source(including, "night.yaml")).rules}
    assert night["likeness-deception"].action is Action.BLOCK
    assert "injection-evasion" not in night
    assert model_of(Cases, read_source(cases, "own.yaml")).cases
