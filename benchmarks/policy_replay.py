"""Replay of a policy over recorded judgements, beside reading the same entries alone.

    python benchmarks/policy_replay.py [--entries N]

Fills a ledger with refusals as the pipeline writes them (scores, thresholds, fields, reasons), then
prints CPU microseconds for a judgement of a replay with the pack kids, the floor of iterating over
the same entries, and their ratio. Half of them must come out otherwise, or there is no figure.
"""

import argparse
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guard.assessment import Assessment, AssessorRef
from guard.pipeline.account import Judgement
from guard.policy_replay import replay
from policies.categories import CATEGORIES
from policies.facts import Facts
from policies.load import load_policy
from policies.policy import Policy
from provenance.home import Home
from provenance.ledger import Ledger

EVER = datetime(2000, 1, 1, tzinfo=UTC)
BATCH = 1_000
ASSESSOR = AssessorRef(name="benchmark", version="1", digest="0" * 64)


def bodies(rng: random.Random, policy: Policy, count: int, key: bytes) -> list[dict[str, Any]]:
    """Bodies of refusals; every second scores between the limits of kids and of the default."""
    made = []
    for number in range(count):
        low = {category: rng.uniform(0.0, 0.05) for category in CATEGORIES}
        scores = low | {"violence": rng.uniform(0.4, 0.5)} if number % 2 else low
        facts = Facts(
            stage="prompt",
            scores=scores | {"unsafe": max(low.values())},
            thresholds=dict.fromkeys((*CATEGORIES, "unsafe"), 0.6),
            fields={
                "caller.role": "user",
                "caller.tenant": "somebody",
                "core.domain": "closed",
                "size.pixels": 262_144,
                "count": 1,
                "language": "en",
                "prompt.obfuscated": False,
            },
        )
        seen = Assessment(assessor=ASSESSOR, subject="prompt", scores=facts.scores)
        decision = f"dec_{number:016x}"
        account = Judgement(seen, facts, policy.decide(facts)).account(key, decision)
        made.append({"decision_id": decision, "prompt_stage": account, "stage": "prompt"})
    return made


def fill(ledger: Ledger, made: list[dict[str, Any]]) -> None:
    for start in range(0, len(made), BATCH):
        ledger.append_batch(f"batch-{start}", "refusal", made[start : start + BATCH])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=5_000)
    count = parser.parse_args().entries
    with tempfile.TemporaryDirectory() as folder:
        home = Home.create(Path(folder) / "home", provider="Benchmark", version="0.0")
        key = home.commitment_key
        fill(home.ledger, bodies(random.Random(1), load_policy("default"), count, key))
        started = time.process_time()
        read = sum(1 for _ in home.ledger.entries(kind="refusal", since=EVER))
        floor = (time.process_time() - started) / read * 1e6
        started = time.process_time()
        report = replay(home.ledger, load_policy("kids"), EVER, key)
        ours = (time.process_time() - started) / report.judged * 1e6
        home.ledger.close()
    assert (report.judged, report.stricter) == (count, count // 2), "the replay does not agree"
    print(f"{report.judged:,} judgements, of which {report.stricter:,} come out otherwise")
    print(f"replay           {ours:7.1f} us each   {1e6 / ours:9,.0f} in a CPU-second")
    print(f"reading alone    {floor:7.1f} us each")
    print(f"ratio            {ours / floor:7.1f}")


if __name__ == "__main__":
    main()
