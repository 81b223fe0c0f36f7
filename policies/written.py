"""What the file of a policy may say beyond the policy itself: what it includes, and overrides.

An override is the one exception to "adding never weakens", so it names the rule and says why, and
``show --effective`` and the lint tell of it. Pure.
"""

from typing import Annotated, Literal, Self

from pydantic import Field as Constrained
from pydantic import field_validator, model_validator

from policies.decision import Action, Frozen
from policies.facts import Stage
from policies.language import (
    MAX_RULES,
    Clause,
    Head,
    Name,
    Obligations,
    OnMissing,
    Prose,
    Rule,
    fault,
    monotone,
    one_rule_an_id,
)

MAX_INCLUDES = 16  # of one file


class Changes(Frozen):
    """What an override puts in the place of a rule's own; what is left out stays as it is."""

    stage: Stage | Literal["both"] | None = None
    when: Clause | None = None
    action: Action | None = None
    obligations: Obligations | None = None
    message: Prose | None = None
    on_missing: OnMissing | None = None

    @field_validator("when")
    @classmethod
    def _monotone_in_scores(cls, given: Clause | None) -> Clause | None:
        return None if given is None else monotone(given)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if all(value is None for _, value in self):
            raise fault((), "set changes nothing; name at least one key of the rule")
        return self


class Override(Frozen):
    """Changes or drops one rule of an included policy; ``because`` says why, for whoever reads."""

    rule: Name
    because: Prose
    set: Changes | None = None
    drop: Literal[True] | None = None

    @model_validator(mode="after")
    def _sets_or_drops(self) -> Self:
        if (self.set is None) == (self.drop is None):
            raise fault((), f"an override of {self.rule!r} has either set or drop: true")
        return self

    def applied_to(self, rule: Rule) -> Rule | None:
        """``rule`` as it stands afterwards; None where it is dropped."""
        if self.set is None:
            return None
        changed = {key: value for key, value in self.set if value is not None}
        return rule.model_copy(update=changed)


class PolicyFile(Head):
    """The file of a policy. ``includes``: names of packs, and files beside this one or below."""

    includes: Annotated[tuple[str, ...], Constrained(max_length=MAX_INCLUDES)] = ()
    overrides: Annotated[tuple[Override, ...], Constrained(max_length=MAX_RULES)] = ()
    rules: Annotated[tuple[Rule, ...], Constrained(max_length=MAX_RULES)] = ()

    @field_validator("includes")
    @classmethod
    def _within_reach(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for position, name in enumerate(given):
            parts = name.split("/")
            if name in given[:position]:
                raise fault((position,), f"{name!r} is included twice")
            if "" in parts or ".." in parts or "\\" in name or not name.isprintable():
                raise fault(
                    (position,), f"{name!r}: include a pack, or a file beside this one or below"
                )
        return given

    @field_validator("overrides")
    @classmethod
    def _one_override_a_rule(cls, given: tuple[Override, ...]) -> tuple[Override, ...]:
        seen: set[str] = set()
        for position, one in enumerate(given):
            if one.rule in seen:
                raise fault((position, "rule"), f"a second override of {one.rule!r}")
            seen.add(one.rule)
        return given

    @field_validator("rules")
    @classmethod
    def _one_rule_an_id(cls, given: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return one_rule_an_id(given)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.rules and not self.includes:
            said = "is empty" if "rules" in self.model_fields_set else "are missing"
            raise fault(("rules",), f"rules {said}; state one, or include a policy that does")
        return self
