"""A policy with everything that it includes, written out as one document. Pure."""

from collections.abc import Iterator

import yaml

from policies.inclusion import Effective, Standing
from policies.policy import digest_of
from policies.source import reads_as_text

WIDTH = 96  # characters of a line


def rendered(policy: Effective) -> str:
    """YAML that loads as the same policy, of the same digest. Remarks say where each rule comes
    from, who changed it and why, and what was dropped."""
    plain = policy.document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    rules = dict(zip((rule["id"] for rule in plain["rules"]), plain.pop("rules"), strict=True))
    order = ", ".join(f"{one.name} {one.file.version}" for one in policy.in_order())
    lines = [f"# In force: {order}", f"# Digest: {digest_of(policy.document)}", _yaml(plain)]
    lines.append("rules:")
    for standing in policy.standing:
        lines += [f"  # {_printable(said)}" for said in _history(standing)]
        if not standing.dropped:
            text = _yaml([rules[standing.rule.id]])
            lines += [f"  {line}" if line else "" for line in text.split("\n")]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _history(standing: Standing) -> Iterator[str]:
    yield f"from {standing.origin}" + (f": {standing.rule.id}" if standing.dropped else "")
    for change in standing.changes:
        did = "dropped" if change.after is None else "changed"
        sign = " (may stop less)" if change.may_weaken else ""
        yield f"{did} by {change.by}{sign}: {change.because}"


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """Quotes what our reader would not take for a text, such as the version 1e5."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # our reader refuses them
        return True


def _text(dumper: _Dumper, word: str) -> yaml.Node:
    style = None if reads_as_text(word) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", word, style=style)


_Dumper.add_representer(str, _text)


def _yaml(value: object) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return text.rstrip("\n")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
