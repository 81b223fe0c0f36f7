"""Policy evaluation: 50 rules on 200 contexts, beside hand-written Python in the same run.

    python benchmarks/policy_rules.py

Prints CPU microseconds for one evaluation that returns every rule that fired with its reasons, and
the ratio to a function that holds the same 50 rules as plain ``if`` statements and returns their
names alone. Both must name the same rules on every context, or there is no figure.
"""

import random
import time
from collections.abc import Callable, Sequence
from statistics import median

from policies.categories import CATEGORIES
from policies.facts import Facts
from policies.language import PolicyDocument
from policies.policy import Policy

RULES = 50
CONTEXTS = 200
ROUNDS = 15
TARGET = 40.0  # CPU microseconds for one evaluation, from the issue of this wing
FLAGGED = 0.1  # share of scores above their threshold: more than any real traffic shows
ROLES = ("user", "moderator", "admin")
REGIONS = ("DE", "FR", "US", "CN", "NO")


def rules_and_source(rng: random.Random) -> tuple[list[dict[str, object]], str]:
    """Fifty rules of one to three comparisons, as a document and as Python source."""
    rules: list[dict[str, object]] = []
    lines = [
        "def by_hand(facts):",
        "    fired = []",
        "    scores, fields = facts.scores, facts.fields",
    ]
    for number in range(RULES):
        category = CATEGORIES[number % len(CATEGORIES)]
        limit = round(rng.uniform(0.5, 0.95), 2)
        score: dict[str, object] = {"field": f"score.{category}", "op": ">=", "limit": limit}
        tests = [(score, f"scores[{category!r}] >= {limit}")]
        others: list[tuple[dict[str, object], str]] = [
            (
                {"field": "caller.age_verified", "op": "is_false"},
                "fields['caller.age_verified'] is False",
            ),
            (
                {"field": "caller.role", "op": "!=", "limit": "admin"},
                "fields['caller.role'] != 'admin'",
            ),
            (
                {"field": "caller.region", "op": "in", "limit": ["DE", "FR"]},
                "fields['caller.region'] in ('DE', 'FR')",
            ),
            (
                {"field": "size.pixels", "op": ">", "limit": 500_000},
                "fields['size.pixels'] > 500000",
            ),
        ]
        tests += rng.sample(others, number % 3)
        rng.shuffle(tests)
        parts = [comparison for comparison, _ in tests]
        rules.append(
            {
                "id": f"rule-{number}",
                "stage": "both",
                "when": {"all": parts} if len(parts) > 1 else parts[0],
                "action": rng.choice(["label", "redact", "review", "block"]),
                "message": "Not here.",
            }
        )
        lines.append(
            f"    if {' and '.join(test for _, test in tests)}: fired.append('rule-{number}')"
        )
    lines.append("    return fired")
    return rules, "\n".join(lines)


def contexts(rng: random.Random) -> list[Facts]:
    """Facts of 200 requests, everything assessed."""
    return [
        Facts(
            stage="prompt",
            scores={
                category: rng.uniform(0.5, 1.0) if rng.random() < FLAGGED else rng.uniform(0.0, 0.3)
                for category in CATEGORIES
            },
            thresholds=dict.fromkeys(CATEGORIES, 0.5),
            fields={
                "caller.role": rng.choice(ROLES),
                "caller.region": rng.choice(REGIONS),
                "caller.age_verified": rng.random() < 0.5,
                "core.domain": "open",
                "size.pixels": rng.choice((262_144, 1_048_576)),
                "count": 1,
                "language": "en",
            },
        )
        for _ in range(CONTEXTS)
    ]


def microseconds(evaluate: Callable[[Facts], object], asked: Sequence[Facts]) -> float:
    """Median over the rounds of CPU microseconds for one evaluation."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for facts in asked:
            evaluate(facts)
        rounds.append((time.process_time() - started) / len(asked) * 1e6)
    return median(rounds)


def main() -> None:
    rng = random.Random(20_260_101)
    rules, source = rules_and_source(rng)
    policy = Policy(
        PolicyDocument.model_validate(
            {
                "name": "benchmark",
                "version": "1",
                "description": "Fifty rules.",
                "applies": "Nowhere",
                "rules": rules,
            }
        )
    )
    namespace: dict[str, Callable[[Facts], list[str]]] = {}
    exec(source, namespace)  # noqa: S102  # our own lines, built above
    by_hand = namespace["by_hand"]
    asked = contexts(rng)
    fired = [[reason.rule for reason in policy.decide(facts).reasons] for facts in asked]
    assert fired == [by_hand(facts) for facts in asked], "the two do not agree"

    ours, floor = microseconds(policy.decide, asked), microseconds(by_hand, asked)
    print(f"{RULES} rules on {CONTEXTS} contexts, {sum(map(len, fired)) / CONTEXTS:.1f} fire each")
    print(f"policy, with reasons      {ours:7.1f} us   target <= {TARGET:.0f} us")
    print(f"hand-written, names only  {floor:7.1f} us")
    print(f"ratio                     {ours / floor:7.1f}")


if __name__ == "__main__":
    main()
