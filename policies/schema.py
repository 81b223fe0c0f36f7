"""The language as a JSON Schema (draft 2020-12), by which editors complete and check. Pure.

What a schema cannot say is left to loading: that a score may not count the other way, that no id
stands twice, that an override names a rule which is there. What loads is valid by the schema, but
for nulls and values that stand twice, which nobody writes on purpose.
"""

from typing import Any

from policies.cases import Cases
from policies.categories import CATEGORIES
from policies.fields import FIELDS, RESERVED, Field, Kind
from policies.language import MAX_CLAUSES, MAX_NUMBER, OPERATORS, SHARE_PATTERN, TAKE_LISTS
from policies.written import PolicyFile

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def policy_schema() -> Schema:
    """Of the file of a policy."""
    schema = PolicyFile.model_json_schema()
    definitions = schema["$defs"]
    definitions["Comparison"] = {
        "description": "field stands in relation op to limit",
        "anyOf": [one for field in FIELDS.values() for one in _comparisons(field)],
    }
    definitions["Rule"]["required"].remove("on_missing")  # the action has a default for it
    definitions["Override"]["oneOf"] = [{"required": ["set"]}, {"required": ["drop"]}]
    override, changes = (definitions[one]["properties"] for one in ("Override", "Changes"))
    for optional in (override["set"], override["drop"], *changes.values()):
        _without_null(optional)
    categories = schema["properties"]["requires"]
    categories["items"] = {"enum": list(CATEGORIES)}
    schema["anyOf"] = [{"required": ["rules"]}, {"required": ["includes"]}]
    return {"$schema": DRAFT, **schema, "title": "Wardmark policy"}


def cases_schema() -> Schema:
    """Of the file of its cases."""
    schema = Cases.model_json_schema()
    facts = schema["$defs"]["Facts"]["properties"]
    for key in ("scores", "thresholds"):
        facts[key] = {
            "type": "object",
            "propertyNames": {"enum": [*CATEGORIES, "unsafe"]},
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
        }
    facts["fields"] = {
        "type": "object",
        "properties": {
            name: {"description": field.meaning, **_value(field)}
            for name, field in FIELDS.items()
            if name not in RESERVED
        },
    }
    facts["not_assessed"] = {"type": "array", "items": {"enum": [*CATEGORIES, "unsafe"]}}
    shared = {key: facts[key] for key in ("scores", "thresholds", "fields", "not_assessed")}
    schema["properties"]["base"] = {
        "type": "object",
        "description": "facts that every case shares",
        "properties": shared | {"stage": facts["stage"]},
        "additionalProperties": False,
    }
    # The stage may stand in the base.
    schema["$defs"]["Facts"].pop("required", None)
    return {"$schema": DRAFT, **schema, "title": "Cases of a Wardmark policy"}


def _comparisons(field: Field) -> list[Schema]:
    """By the operators of one value, and by those of a list where the field takes any."""
    single = [op.value for op in OPERATORS[field.kind] if op not in TAKE_LISTS]
    lists = [op.value for op in OPERATORS[field.kind] if op in TAKE_LISTS]
    value = _value(field)
    found = [_comparison(field, single, None if field.kind is Kind.FLAG else value)]
    if lists:
        some = {"type": "array", "items": value, "minItems": 1, "maxItems": MAX_CLAUSES}
        found.append(_comparison(field, lists, some))
    return found


def _comparison(field: Field, ops: list[str], limit: Schema | None) -> Schema:
    taken = {} if limit is None else {"limit": limit}
    return {
        "type": "object",
        "description": field.meaning,
        "properties": {"field": {"const": field.name}, "op": {"enum": ops}, **taken},
        "required": ["field", "op", *taken],
        "additionalProperties": False,
    }


def _value(field: Field) -> Schema:
    if field.choices:
        return {"enum": list(field.choices)}
    match field.kind:
        case Kind.SCORE:
            number = {"type": "number", "minimum": 0, "maximum": 1}
            return {"anyOf": [number, {"type": "string", "pattern": SHARE_PATTERN}]}
        case Kind.NUMBER:
            return {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
        case Kind.FLAG:
            return {"type": "boolean"}
        case _:
            return {"type": "string"}


def _without_null(schema: Schema) -> None:
    """Null stands for "left out" in our models; nobody writes it."""
    schema["anyOf"] = [one for one in schema["anyOf"] if one != {"type": "null"}]
    schema.pop("default", None)
