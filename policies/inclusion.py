"""From a file and what it includes to the one policy that is in force.

The order is stated, and it decides nothing but what a person reads first: included files come in
the order in which they are named, each after what it includes itself, each once; the file's own
rules come last. Overrides are applied in the same order, so that the outer one has the last word.
Where two files override one rule and neither includes the other, nothing says which is meant: the
policy is refused until a file that includes both says it. The documents' obligations and
requirements are united, and no override takes one away; so are the lines of law, but for those
whose rule was dropped. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from policies.decision import Obligation
from policies.errors import Problem
from policies.fields import nearest
from policies.implication import covers
from policies.language import MAX_RULES, PolicyDocument, Rule, Service
from policies.source import Path, Source
from policies.written import PolicyFile

OBLIGATIONS = frozenset(one.value for one in Obligation)


@dataclass(frozen=True)
class Change:
    """An override that was applied. ``after`` is None where it dropped the rule."""

    by: str
    because: str
    before: Rule
    after: Rule | None

    @property
    def may_weaken(self) -> bool:
        """It is not proved that the rule still stops whatever it stopped before."""
        return self.after is None or not covers(self.after, self.before)


@dataclass(frozen=True)
class Standing:
    """A rule with its history: which policy it comes from, and who changed it, innermost first.

    ``rule`` is as it stands now, or as it stood last where it was dropped.
    """

    rule: Rule
    origin: str
    changes: tuple[Change, ...] = ()

    @property
    def dropped(self) -> bool:
        return bool(self.changes) and self.changes[-1].after is None


@dataclass(frozen=True)
class Effective:
    """A policy with all that it includes. ``document`` is what decides, and has the digest.

    ``path``: the file, where it is one. ``unserved``: lines of law that an included policy serves
    by a rule that was dropped since.
    """

    source: Source
    file: PolicyFile
    includes: tuple["Effective", ...]
    document: PolicyDocument
    standing: tuple[Standing, ...]
    unserved: tuple[Service, ...]
    path: FilePath | None = None

    @property
    def name(self) -> str:
        return self.file.name

    def in_order(self) -> Iterator["Effective"]:
        """What it includes at any depth, each once, in the stated order; itself last."""
        seen: set[str] = set()
        yield from self._in_order(seen)

    def _in_order(self, seen: set[str]) -> Iterator["Effective"]:
        if self.name not in seen:
            seen.add(self.name)
            for one in self.includes:
                yield from one._in_order(seen)
            yield self


def effective(
    source: Source,
    file: PolicyFile,
    includes: Sequence[Effective],
    path: FilePath | None = None,
) -> Effective:
    """Join ``file`` with what it includes. Raises PolicyInvalid at the places in ``source``."""
    merging = _Merging(source, file)
    layers: dict[str, Effective] = {}
    for position, included in enumerate(includes):
        for layer in included.in_order():
            held = layers.setdefault(layer.name, layer)
            if layer.name == file.name or held.document != layer.document:
                merging.object_to(
                    ("includes", position), f"brings a second policy named {layer.name!r}"
                )
    if not merging.problems:
        for layer in layers.values():
            merging.add(layer.file, {one.name for one in layer.in_order()})
        merging.add(file, {*layers, file.name})
        merging.settle()
    if merging.problems:
        raise source.invalid(merging.problems)
    standing = tuple(merging.standing.values())
    document = PolicyDocument(
        **file.model_dump(include={"name", "version", "description", "applies"}),
        requires=file.requires.union(*(layer.file.requires for layer in layers.values())),
        obligations=frozenset(merging.obligations),
        serves=tuple(one for one in merging.serves if one not in merging.unserved),
        rules=tuple(one.rule for one in standing if not one.dropped),
    )
    return Effective(
        source, file, tuple(includes), document, standing, tuple(merging.unserved), path
    )


@dataclass
class _Merging:
    """Rules so far, by id. Included files are sound by themselves, so what goes wrong is either in
    ``file`` or between two of the files that it includes."""

    source: Source
    file: PolicyFile
    standing: dict[str, Standing] = field(default_factory=dict)
    reach: dict[str, set[str]] = field(default_factory=dict)
    obligations: set[Obligation] = field(default_factory=set)
    serves: list[Service] = field(default_factory=list)
    unserved: list[Service] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def object_to(self, path: Path, said: str) -> None:
        self.problems.append(Problem(*self.source.place(path), said))

    def add(self, layer: PolicyFile, reach: set[str]) -> None:
        """``reach``: names of the policies that ``layer`` includes at any depth, and its own."""
        self.reach[layer.name] = reach
        self.obligations |= layer.obligations
        self.serves += layer.serves
        own = layer is self.file
        for position, rule in enumerate(layer.rules):
            held = self.standing.get(rule.id)
            if held is None:
                self.standing[rule.id] = Standing(rule, layer.name)
            elif own:
                said = f"{held.origin} has a rule {rule.id!r}; override it, or take another id"
                self.object_to(("rules", position, "id"), said)
            else:
                said = f"{held.origin} and {layer.name} each have a rule {rule.id!r} of their own"
                self.object_to(("includes",), f"{said}, so they cannot be included together")
        for position, override in enumerate(layer.overrides):
            held = self.standing.get(override.rule)
            if held is None or held.origin not in reach - {layer.name}:
                included = [id for id, one in self.standing.items() if one.origin != layer.name]
                hint = nearest(override.rule, included)
                said = f"no rule {override.rule!r} in what is included{hint}"
                self.object_to(("overrides", position, "rule"), said)
                continue
            after = override.applied_to(held.rule)
            change = Change(layer.name, override.because, held.rule, after)
            self.standing[override.rule] = Standing(
                after or held.rule, held.origin, (*held.changes, change)
            )
        if own:
            self._check_services()

    def _check_services(self) -> None:
        for position, service in enumerate(self.file.serves):
            for nth, by in enumerate(service.by):
                if by not in self.standing and by not in self.obligations:
                    known = {*self.standing, *OBLIGATIONS}
                    said = f"no rule or obligation {by!r} is in force{nearest(by, known)}"
                    self.object_to(("serves", position, "by", nth), said)

    def settle(self) -> None:
        """What can only be judged when all is together."""
        for id, held in self.standing.items():
            last = held.changes[-1].by if held.changes else ""
            for change in held.changes:
                if change.by not in self.reach[last]:
                    said = f"{change.by} and {last} both override {id!r}; override it here as well"
                    self.object_to(("includes",), f"{said}, to say which is meant")
        left = [id for id, held in self.standing.items() if not held.dropped]
        if not left or len(left) > MAX_RULES:
            self.object_to((), f"{len(left)} rules are in force; there must be 1 to {MAX_RULES}")
        gone = {id for id, held in self.standing.items() if held.dropped}
        self.unserved = [one for one in self.serves if gone.intersection(one.by)]
