"""What training rests on: splits that leak nothing, even draws, honest thresholds."""

import gzip
import json
import random
import re
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.errors import InvalidRequest
from guard.evaluate.metrics import calibration_error
from guard.prompts.features import features
from guard.prompts.model import Calibration, Evidence, fused, probabilities
from guard.prompts.rules import minors
from guard.prompts.training.corpus import (
    FOLDS,
    OWN,
    Prompt,
    clusters,
    folds_of,
    own,
    pairs_of,
    read,
)
from guard.prompts.training.draws import HEADS, balance, draw, draw_pairs, splices, targets
from guard.prompts.training.evaluation import FALSE_POSITIVES, Mixture, Views, calibrate
from guard.prompts.training.fit import calibration, fusion
from guard.prompts.training.judged import fingerprint
from guard.prompts.training.matrix import read_all, vocabulary_of
from guard.prompts.training.mixtures import Ratio
from guard.prompts.training.phrases import contrasts, everyday
from guard.prompts.training.tuning import batched, interpolated
from guard.prompts.training.written import pairs as pairs_by_hand
from guard.prompts.training.written import plain
from policies.categories import CORE_CATEGORIES

NOTHING: frozenset[str] = frozenset()


def prompts_of(source: str, count: int, *, unsafe: bool | None) -> list[Prompt]:
    categories = frozenset({"violence"}) if unsafe else NOTHING
    return [Prompt(f"{source} {i}", source, unsafe, categories, True) for i in range(count)]


def test_no_source_is_in_two_folds() -> None:
    sources = list(chain.from_iterable(FOLDS.values()))
    assert len(sources) == len(set(sources))


def test_sources_of_one_maker_are_left_out_together() -> None:
    makers = [("copro_train", "copro_test"), ("overt_safe", "overt_pair_safe", "overt_unsafe")]
    for names in makers:
        prompts = [Prompt("", name, True, NOTHING, True) for name in names]
        assert len(set(folds_of(prompts))) == 1


def test_words_that_are_carried_in_reverse_are_turned_round(tmp_path: Path) -> None:
    rows = [("discord", "rain the in cat a"), ("coco", "a cat in the rain")]
    for source, text in rows:
        row = {"text": text, "unsafe": False, "categories": [], "image_prompt": True}
        with gzip.open(tmp_path / f"{source}.jsonl.gz", "wt") as file:
            file.write(json.dumps({**row, "source": source, "detail": ""}) + "\n")
    assert {prompt.text for prompt in read(tmp_path, 10, 1)} == {"a cat in the rain"}


def test_a_folder_without_prompts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="--data"):
        read(tmp_path, 10, 1)


def test_words_of_other_languages_do_not_become_english() -> None:
    english = ["a woman in the street with a dog", "the old dog in a house of the woman"] * 8
    foreign = ["una mujer en la calle con un perro"] * 5
    vocabulary = vocabulary_of(english + foreign)
    assert vocabulary.knows("woman")
    assert not vocabulary.knows("mujer")


def test_of_several_texts_only_the_kept_ones_are_read_on() -> None:
    vocabulary = vocabulary_of(["a red house by the sea with a dog"] * 15)
    readings = read_all(["a red house", "a dog by the sea", "h.o.u.s.e by the sea"], vocabulary)
    kept = readings.of(np.array([True, False, True]))
    assert set(kept.owner) == {0, 2}
    assert "a dog by the sea" not in kept.texts
    assert "house by the sea" in kept.texts


def test_near_duplicates_share_a_cluster_and_strangers_do_not() -> None:
    text = "a knight with a long sword stands before the burning castle at night, oil painting"
    texts = [text, f"{text}, detailed", "two dogs play in the snow near a red house", text]
    near = clusters([features(each) for each in texts], 7)
    assert near[0] == near[1] == near[3] != near[2]


def test_every_source_has_the_same_chance_and_each_side_half() -> None:
    prompts = [
        *prompts_of("large", 2_000, unsafe=True), *prompts_of("other", 800, unsafe=True),
        *prompts_of("calm", 500, unsafe=False), *prompts_of("users", 900, unsafe=None),
    ]  # fmt: skip
    chances = balance(prompts, np.ones(len(prompts), dtype=np.bool_))
    assert chances.sum() == pytest.approx(1)
    for source in ("large", "other", "calm", "users"):
        mine = [p.source == source for p in prompts]
        assert chances[mine].sum() == pytest.approx(0.25)


def test_our_own_sentences_have_the_same_share_of_either_side() -> None:
    prompts = [
        *prompts_of(OWN, 300, unsafe=True), *prompts_of("harm", 900, unsafe=True),
        *prompts_of(OWN, 700, unsafe=False), *prompts_of("calm", 500, unsafe=False),
    ]  # fmt: skip
    chances = balance(prompts, np.ones(len(prompts), dtype=np.bool_))
    mine = np.array([p.source == OWN for p in prompts])
    harm = np.array([bool(p.unsafe) for p in prompts])
    assert chances[mine & harm].sum() == pytest.approx(chances[mine & ~harm].sum())
    assert chances[harm].sum() == pytest.approx(0.5)


def test_a_contrast_is_drawn_whole_and_its_sides_get_the_same_tail() -> None:
    prompts = [*prompts_of("calm", 20, unsafe=False), *own()]
    pairs = pairs_of(prompts)
    assert len(pairs) == len(list(contrasts()))
    drawn = draw_pairs([p.text for p in prompts], pairs, 200, 3)
    bad, good = drawn.prompt[0::2], drawn.prompt[1::2]
    assert all(prompts[i].unsafe for i in bad)
    assert not any(prompts[i].unsafe for i in good)
    for at in range(200):
        bad_tail, good_tail = (
            drawn.texts[i].removeprefix(prompts[drawn.prompt[i]].text) for i in (2 * at, 2 * at + 1)
        )
        assert bad_tail == good_tail
    assert any(text != prompts[i].text for text, i in zip(drawn.texts, drawn.prompt, strict=True))


def test_every_text_is_in_one_batch_and_a_pair_in_the_same() -> None:
    rng = np.random.default_rng(2)
    batches = batched(rng.integers(3, 48, 700).tolist(), 150, rng)
    assert sorted(np.concatenate(batches).tolist()) == list(range(700))
    for batch in batches:
        harmful = batch[(batch < 300) & (batch % 2 == 0)]
        assert set(harmful + 1) <= set(batch)
        assert len(set(batch)) <= 65


def test_harm_of_two_kinds_is_told_from_what_lies_between_them() -> None:
    rng = np.random.default_rng(3)
    centres = np.eye(4, 384, dtype=np.float32)
    centres[2:] = centres[0] + centres[1], -centres[0] - centres[1]  # no plane parts these
    kinds = rng.integers(0, 4, 1_200)
    points = centres[kinds] + rng.normal(0, 0.02, (1_200, 384)).astype(np.float32)
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    unsafe = kinds < 2
    ratio = Ratio(points[:900], unsafe[:900])
    with torch.no_grad():
        odds = ratio(torch.from_numpy(points[900:]))[:, 0].numpy()
    assert ((odds > 0) == unsafe[900:]).all()


def test_what_may_not_be_used_is_never_drawn() -> None:
    prompts = [*prompts_of("left", 50, unsafe=True), *prompts_of("kept", 50, unsafe=True),
               *prompts_of("calm", 50, unsafe=False)]  # fmt: skip
    usable = np.array([p.source != "left" for p in prompts])
    drawn = draw([p.text for p in prompts], balance(prompts, usable), 300, 3)
    assert {prompts[i].source for i in drawn.prompt} == {"kept", "calm"}
    again = draw([p.text for p in prompts], balance(prompts, usable), 300, 3)
    assert drawn.texts == again.texts


def test_other_harm_is_a_weak_negative_and_a_safe_prompt_a_full_one() -> None:
    labels, belief = targets([*prompts_of("a", 1, unsafe=True), *prompts_of("b", 1, unsafe=False)])
    violence, sexual = HEADS.index("violence"), HEADS.index("sexual")
    assert labels[0, 0] == labels[0, violence] == 1
    assert labels[0, sexual] == 0
    assert 0 < belief[0, sexual] < belief[0, violence] == 1
    assert labels[1].sum() == 0
    assert (belief[1] == 1).all()


def test_our_own_sentences_name_no_minors_and_are_on_one_side_only() -> None:
    sentences = own()
    bad = [prompt for prompt in sentences if prompt.unsafe]
    assert not [prompt.text for prompt in bad if minors(prompt.text).age]
    assert len({prompt.text for prompt in sentences}) == len(sentences)
    assert all(prompt.categories and prompt.categories <= set(CORE_CATEGORIES) for prompt in bad)


def test_a_contrast_begins_alike_and_no_word_alone_tells_its_sides_apart() -> None:
    pairs = list(contrasts())
    assert pairs == list(contrasts())
    assert not [pair for pair in pairs if set("{|}") & {*pair.harmful, *pair.harmless}]
    for dangerous in ("kill", "shoot", "stab", "bomb", "hack", "steal", "poison", "burn", "naked"):
        sides = [
            [text for text in side if dangerous in re.findall(r"[a-z]+", text)]
            for side in ([pair.harmful for pair in pairs], [pair.harmless for pair in pairs])
        ]
        assert all(sides), dangerous


def test_plain_scenes_are_many_and_name_no_minor() -> None:
    scenes = list(everyday())
    assert len(set(scenes)) == len(scenes) > 1_000
    assert not [text for text in scenes if minors(text).age]


def test_what_is_written_by_hand_is_of_a_core_category_and_no_two_sentences_are_one() -> None:
    pairs = pairs_by_hand()
    texts = [*(text for pair in pairs for text in pair[:2]), *plain()]
    assert len(set(texts)) == len(texts) > 4_000
    assert {pair.category for pair in pairs} <= set(CORE_CATEGORIES)
    assert not [pair for pair in pairs if minors(pair.harmful.lower()).age]


def test_a_splice_begins_as_one_text_and_ends_as_another() -> None:
    texts = ["one two three four", "five six seven eight"]
    spliced = splices(texts * 60, 1)
    assert len(spliced) == 20
    assert spliced == splices(texts * 60, 1)
    for text in spliced:
        assert text.split()[0] in ("one", "five")
        assert text.split()[-1] in ("four", "eight")
    assert not set(texts) >= set(spliced)


@pytest.mark.parametrize("kept", [0.0, 0.3, 1.0])
def test_interpolation_lies_between_the_origin_and_what_was_tuned(kept: float) -> None:
    origin, tuned = (
        {"w": torch.tensor([value]), "n": torch.tensor([7])} for value in (1.0, 3.0)
    )
    found = interpolated(origin, tuned, kept)
    assert float(found["w"][0]) == pytest.approx(1 + 2 * kept)
    assert int(found["n"][0]) == 7


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_part_speaks_against_what_it_was_trained_for(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unsafe = rng.random(400) < 0.5
    parts = rng.normal(size=(400, 3)).astype(np.float32)
    parts[:, 0] += 2 * unsafe
    parts[:, 2] = np.abs(parts[:, 2])
    found = fusion(parts, unsafe, np.full(400, 1.0))
    assert min(found.encoder, found.linear, found.terms) >= 0
    odds = fused(found, Evidence(parts[:, :1], parts[:, 1:2], np.expm1(parts[:, 2])), 0)
    assert probabilities(odds)[unsafe].mean() > probabilities(odds)[~unsafe].mean()


def test_the_thresholds_flag_no_more_of_the_ordinary_than_they_say() -> None:
    rng = np.random.default_rng(5)
    prompts = [*prompts_of("coco", 900, unsafe=False), *prompts_of("discord", 900, unsafe=False),
               *prompts_of("overt_safe", 300, unsafe=False), *prompts_of("civitai", 400, unsafe=True)]  # fmt: skip  # noqa: E501
    rows = np.arange(len(prompts))
    encoder = rng.normal(size=(len(prompts), 2)).astype(np.float32)
    encoder[2_100:] += 3
    views = Views(Evidence(encoder, 0.5 * encoder, np.zeros(len(rows), np.float32)), rows)
    mixed = Mixture(
        {"coco": rows[:900], "discord": rows[900:1_800]},
        {"overt_safe": rows[1_800:2_100]},
        {"civitai": rows[2_100:]},
    )
    found = calibrate(prompts, ("unsafe", "violence"), views, mixed, rows)
    limits = np.array([head.threshold for head in found.heads])
    flagged = (found.probabilities >= limits).any(axis=1)
    assert flagged[:1_800].mean() <= FALSE_POSITIVES
    assert flagged[2_100:].mean() > 0.5
    assert found.heads[0].false_positive_bound > found.heads[0].false_positive_rate


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_calibration_keeps_the_order_and_halves_an_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 3, 4_000)
    true = 1 / (1 + np.exp(-0.3 * odds - np.where(odds > 1, 2.0, 0.0)))  # no sigmoid's shape
    unsafe, even = rng.random(4_000) < true, np.ones(4_000)
    curve = calibration(odds, unsafe, even)
    calibrated = curve.of(odds.astype(np.float32)).astype(float)
    ascending = np.argsort(odds)
    assert (np.diff(calibrated[ascending]) >= 0).all()
    before = calibration_error(1 / (1 + np.exp(-odds)), unsafe.astype(float), even)
    after = calibration_error(probabilities(calibrated), unsafe.astype(float), even)
    assert after < before / 2


@pytest.mark.parametrize(
    ("fused", "calibrated"), [((0, 1), (1, 1)), ((1, 0), (0, 1)), ((0, 1), (0, 1, 2)), ((0,), (0,))]
)
def test_a_calibration_that_does_not_rise_is_refused(
    fused: tuple[float, ...], calibrated: tuple[float, ...]
) -> None:
    with pytest.raises(ValidationError):
        Calibration(fused=fused, calibrated=calibrated)


def test_a_judged_prompt_is_known_however_it_is_spaced() -> None:
    text = f" a prompt {random.random()} "
    assert fingerprint(text) == fingerprint(text.strip()) != fingerprint("another prompt")
