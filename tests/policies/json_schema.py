"""As much of JSON Schema (2020-12) as our schemas use; another keyword is an error.

Section numbers are those of draft-bhutton-json-schema-validation-01.
"""

import re
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default"}


def valid(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None) -> bool:
    """Whether ``value`` meets ``schema``."""
    whole = schema if root is None else root
    return all(
        _holds(value, key, limit, schema, whole)
        for key, limit in schema.items()
        if key not in ANNOTATIONS
    )


def _holds(value: Any, key: str, limit: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match key:
        case "$ref":
            return valid(value, root["$defs"][limit.removeprefix("#/$defs/")], root)
        case "type":  # 6.1.1
            return (isinstance(value, bool) is (limit == "boolean")) and isinstance(
                value, TYPES[limit]
            )
        case "enum":
            return any(_equal(value, one) for one in limit)
        case "const":
            return _equal(value, limit)
        case "minimum":
            return not number or value >= limit
        case "maximum":
            return not number or value <= limit
        case "minLength":
            return not isinstance(value, str) or len(value) >= limit
        case "maxLength":
            return not isinstance(value, str) or len(value) <= limit
        case "pattern":
            return not isinstance(value, str) or re.search(limit, value) is not None
        case "minItems":
            return not isinstance(value, list) or len(value) >= limit
        case "maxItems":
            return not isinstance(value, list) or len(value) <= limit
        case "uniqueItems":
            return not isinstance(value, list) or len(value) == len({*map(str, value)})
        case "items":
            return not isinstance(value, list) or all(valid(one, limit, root) for one in value)
        case "required":
            return not isinstance(value, dict) or set(limit) <= value.keys()
        case "properties":
            return not isinstance(value, dict) or all(
                valid(value[name], one, root) for name, one in limit.items() if name in value
            )
        case "propertyNames":
            return not isinstance(value, dict) or all(valid(name, limit, root) for name in value)
        case "additionalProperties":
            further = value.keys() - schema.get("properties", {}) if isinstance(value, dict) else ()
            return all(limit is not False and valid(value[name], limit, root) for name in further)
        case "anyOf":
            return any(valid(value, one, root) for one in limit)
        case "oneOf":
            return sum(valid(value, one, root) for one in limit) == 1
    raise AssertionError(f"the keyword {key} is not known here")


def _equal(value: Any, other: Any) -> bool:
    return type(value) is type(other) and value == other
