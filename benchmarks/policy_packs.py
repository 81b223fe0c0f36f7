"""What each policy pack refuses and holds of labelled prompts, beside the pack default.

    python benchmarks/policy_packs.py [--data DIR] [--most N]

DIR (default: $WARDMARK_DATA/prompts) holds labelled prompts (``*.jsonl.gz``). At most N image
prompts of each source and label are assessed once by the embedded assessor, and every pack decides
on the same facts at the prompt stage, for a researcher whose age was verified. Shares come with
their one-sided 95 % Clopper-Pearson bound; the ratio is to default in the same run. The assessor
learnt from some of these prompts: this compares policies, and benchmarks/prompts.py judges it.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from scipy.stats import beta

from guard.pipeline import Caller
from guard.pipeline.facts import facts_of
from guard.prompts import load_assessor
from guard.prompts.training.corpus import FOLDS, Prompt, read
from policies.decision import Action
from policies.facts import Facts
from policies.load import list_policies
from policies.policy import Policy

CONFIDENCE = 0.95
CALLER = Caller(role="researcher", age_verified=True)
KNOWN = {source for sources in FOLDS.values() for source in sources}  # with labels


def upper_bound(count: int, of: int) -> float:
    """One-sided Clopper-Pearson bound of a share."""
    return 1.0 if count == of else float(beta.ppf(CONFIDENCE, count + 1, of - count))


def facts(prompts: Sequence[Prompt]) -> list[Facts]:
    assessed = load_assessor().assess([prompt.text for prompt in prompts])
    return [facts_of(assessment, caller=CALLER) for assessment in assessed]


def counted(policy: Policy, asked: Sequence[Facts]) -> tuple[int, int]:
    """How many are refused, and how many are held for a person."""
    actions = [policy.decide(one).action for one in asked]
    held = sum(action in (Action.REVIEW, Action.REDACT) for action in actions)
    return sum(action is Action.BLOCK for action in actions), held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("WARDMARK_DATA")
    parser.add_argument("--data", type=Path, default=Path(shared, "prompts") if shared else None)
    parser.add_argument("--most", type=int, default=300)
    given = parser.parse_args()
    if given.data is None:
        parser.error("name a folder of labelled prompts with --data or $WARDMARK_DATA")
    prompts = [
        prompt
        for prompt in read(given.data, given.most, seed=1)
        if prompt.image_prompt and prompt.unsafe is not None and prompt.source in KNOWN
    ]
    harmless = facts([prompt for prompt in prompts if not prompt.unsafe])
    unsafe = facts([prompt for prompt in prompts if prompt.unsafe])
    print(f"{len(harmless)} harmless and {len(unsafe)} unsafe image prompts")
    print("                       harmless                            unsafe")
    print("pack               refused   bound   held   to default    refused   held")
    packs = sorted(list_policies(), key=lambda pack: pack.name != "default")
    floor = counted(packs[0], harmless)[0]
    for pack in packs:
        refused, held = counted(pack, harmless)
        stopped, looked_at = counted(pack, unsafe)
        bound = upper_bound(refused, len(harmless))
        print(
            f"{pack.name:<18} {refused / len(harmless):7.1%} {bound:7.1%}"
            f" {held / len(harmless):6.1%} {refused / max(floor, 1):12.2f}"
            f" {stopped / len(unsafe):10.1%} {looked_at / len(unsafe):6.1%}"
        )


if __name__ == "__main__":
    main()
