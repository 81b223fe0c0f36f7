"""What the core learnt from is found again in what it draws, and named."""


import numpy as np
import pytest

from datasets_audit import audit
from guard.check import Checker
from guard.deployment import load_image_assessor
from guard.errors import SafetyUnavailable
from policies.decision import Action
from policies.load import load_policy
from provenance.errors import HomeInvalid
from provenance.home import Home
from provenance.picture import encode
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.core import textured_picture

LEARNT = {name: textured_picture(name, 320, 256, seed) for seed, name in enumerate("abc")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("deployment")
    made = Home.create(folder / "home", provider="Test provider", version="0")
    pictures = folder / "pictures"
    pictures.mkdir()
    rows = ["file,consent_state,licence,subject_id"]
    for name, pixels in LEARNT.items():
        (pictures / f"{name}.png").write_bytes(encode(pixels))
        state = "withdrawn" if name == "b" else "declared"
        rows.append(f"{name}.png,{state},CC-BY-NC-4.0,subject-{name}")
    (folder / "rows.csv").write_text("\n".join(rows) + "\n")
    audit(
        str(pictures), name="harbour", annotations=str(folder / "rows.csv"),
        out=made.path / "harbour", secret=made.commitment_key,
    )  # fmt: skip
    with (made.path / "wardmark.toml").open("a") as settings:
        settings.write('\n[[training_data]]\nname = "harbour"\nsamples = "harbour/samples"\n')
    return Home.open(made.path)


def test_a_repeated_sample_is_named_with_its_consent_and_licence(home: Home) -> None:
    mirrored = np.ascontiguousarray(LEARNT["b"][:, ::-1])
    (seen,) = load_image_assessor(home).assess([mirrored])
    assert seen.fields["memorised.match"] is True
    assert seen.fields["memorised.dataset"] == "harbour"
    assert seen.fields["memorised.consent"] == "withdrawn"
    assert seen.fields["memorised.licence_use"] == "non-commercial"
    assert int(str(seen.fields["memorised.distance"])) <= 31
    assert "memorised" in {region.kind for region in seen.regions}


def test_other_pictures_and_flat_ones_repeat_nothing(home: Home) -> None:
    other, flat = textured_picture("other", 320, 256, 99), np.full((64, 64, 3), 90, np.uint8)
    seen = load_image_assessor(home).assess([other, flat])
    assert seen[0].fields["memorised.match"] is False
    assert "memorised.match" not in seen[1].fields  # of a flat picture nobody can say


def test_the_default_policy_holds_a_repeated_sample_and_names_the_reason(home: Home) -> None:
    checker = Checker(ScriptedPromptAssessor(), load_image_assessor(home), load_policy("default"))
    found = checker.image(encode(LEARNT["a"]))
    assert found.decision is Action.REVIEW
    (reason,) = (reason for reason in found.reasons if reason.rule == "memorised")
    assert reason.because[0].field == "memorised.match"


def test_a_consent_that_is_withdrawn_after_the_audit_counts_at_once(home: Home) -> None:
    assessor = load_image_assessor(home)
    before, other = assessor.assess([LEARNT["a"], LEARNT["c"]])
    assert {seen.fields["memorised.consent"] for seen in (before, other)} == {"declared"}
    home.subjects.withdraw("subject-a")
    now, other = assessor.assess([LEARNT["a"], LEARNT["c"]])
    assert now.fields["memorised.consent"] == "withdrawn"
    assert other.fields["memorised.consent"] == "declared"
    (again,) = load_image_assessor(home).assess([LEARNT["a"]])
    assert again.fields["memorised.consent"] == "withdrawn"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"name": "gone", "samples": "gone"}, SafetyUnavailable),
        ({"name": "nameless"}, HomeInvalid),
    ],
)
def test_rows_that_are_missing_stop_the_start(
    home: Home, given: dict[str, str], error: type[Exception]
) -> None:
    from guard.images import training_data_of

    with pytest.raises(error, match="audit --out"):
        training_data_of([given], home.path)
