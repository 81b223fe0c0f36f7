"""What an audit can find: every kind, how bad it is, why it matters and what to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from datasets_audit.consent import ConsentState
from datasets_audit.inspection import Inspection
from datasets_audit.licence import Fit, LicenceUse
from datasets_audit.sample import Sample


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    CRITICAL = "critical"  # training on it breaks a promise made to somebody
    SERIOUS = "serious"  # nothing shows that training on it is in order
    MINOR = "minor"  # lowers the quality of what is learnt
    NOTE = "note"  # worth knowing

    @property
    def rank(self) -> int:
        """0 for critical up to 3 for a note."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind of finding, in words for the person who has to act."""

    severity: Severity
    title: str
    why: str
    next_step: str


class Finding(NamedTuple):
    """One finding. ``key`` names the picture, ``row`` the row of the annotations, if either."""

    code: str
    key: str | None = None
    row: int | None = None
    detail: str | None = None


_C, _S, _M, _N = Severity.CRITICAL, Severity.SERIOUS, Severity.MINOR, Severity.NOTE

KINDS: Final[dict[str, FindingKind]] = {
    "consent_withdrawn": FindingKind(
        _C, "Consent was withdrawn",
        "Somebody asked that this picture no longer be used.",
        "Remove these pictures, and retire what was trained on them since the withdrawal.",
    ),
    "licence_conflict": FindingKind(
        _C, "The licence forbids the declared use",
        "Using the picture in this way breaks its licence.",
        "Remove these pictures, buy a licence, or declare a use that the licence allows.",
    ),
    "consent_expired": FindingKind(
        _C, "Consent has expired",
        "The agreement ended on the day that its own record names.",
        "Renew these agreements or remove the pictures.",
    ),
    "rights_reserved": FindingKind(
        _C, "Rights are reserved",
        "Somebody said that this picture must not be used for training.",
        "Remove these pictures, or obtain a licence from whoever reserved them.",
    ),
    "consent_contradicted": FindingKind(
        _S, "Rows contradict each other on consent",
        "Two rows cannot both be true; the stricter one was taken.",
        "Ask the source of the rows which one holds and delete the other.",
    ),
    "consent_unknown": FindingKind(
        _S, "Nothing is known about consent",
        "Silence is not consent: unknown counts as no.",
        "State consent_state and consent_evidence for these pictures, or remove them.",
    ),
    "consent_without_evidence": FindingKind(
        _S, "Consent is stated without evidence",
        "Nobody can check a statement that points to nothing.",
        "Give the contract, form or web address in consent_evidence.",
    ),
    "licence_unknown": FindingKind(
        _S, "The licence is missing or not recognised",
        "An unknown licence is not an open licence.",
        "State an SPDX identifier or the licence's web address in the column licence.",
    ),
    "inferred_attribute_withheld": FindingKind(
        _S, "A sensitive attribute was inferred by a model",
        "Guessed race, gender and the like are not written down for single pictures.",
        "Use what people said of themselves, or leave the attribute out.",
    ),
    "split_leak": FindingKind(
        _S, "The same picture lies in several splits",
        "Results on the test split look better than they are.",
        "Keep all copies of a picture in one split.",
    ),
    "picture_unreadable": FindingKind(
        _S, "Files could not be read",
        "What cannot be read was not audited.",
        "Check permissions and paths, then audit again.",
    ),
    "picture_too_large": FindingKind(
        _S, "Pictures exceed the size limit and were not decoded",
        "A few bytes can unfold into more memory than there is.",
        "Scale these pictures down or remove them.",
    ),
    "picture_damaged": FindingKind(
        _S, "Pictures are damaged or cut short",
        "A loader fails on them or fills in grey.",
        "Fetch these pictures again or remove them.",
    ),
    "picture_not_a_picture": FindingKind(
        _S, "Files are not pictures, whatever their names say",
        "A loader fails on them, and they may be something else in disguise.",
        "Look at what they are and remove them.",
    ),
    "picture_empty": FindingKind(
        _S, "Files are empty", "There is nothing in them to learn from.",
        "Fetch these pictures again or remove them.",
    ),
    "key_repeated": FindingKind(
        _S, "Several pictures go by the same key",
        "Their annotations cannot be told apart.",
        "Give every picture a key of its own.",
    ),
    "annotation_contradicted": FindingKind(
        _S, "Rows contradict each other",
        "The contradicting values were not used.",
        "Ask the source of the rows which one holds and delete the other.",
    ),
    "annotation_without_picture": FindingKind(
        _S, "Rows speak of pictures that are not there",
        "The picture was lost, renamed, or removed without its record.",
        "Correct the key, restore the picture or delete the row.",
    ),
    "exif_gps": FindingKind(
        _S, "Pictures say where they were taken",
        "A position in a picture of a home leads to whoever lives there.",
        "Strip the EXIF position unless the subject agreed to publish it.",
    ),
    "credential_broken": FindingKind(
        _S, "Pictures were changed after they were signed",
        "The C2PA credential in the file is of other bytes than these.",
        "Run wardmark verify on them; take them from their source anew.",
    ),
    "exif_owner": FindingKind(
        _S, "Pictures name the owner of the camera",
        "A name is personal data that no model needs.",
        "Strip the EXIF owner.",
    ),
    "caption_personal": FindingKind(
        _S, "Captions hold personal data",
        "A model can repeat an address or a number that it was shown.",
        "Take it out of the captions.",
    ),
    "text_personal": FindingKind(
        _S, "What is written in pictures holds personal data",
        "An address or number on a letter, a screen or a sign leads to a person.",
        "Look at them; cover the writing or remove the pictures.",
    ),
    "url_drift": FindingKind(
        _S, "Files are not what their annotation was made for",
        "What an address serves can be swapped after it was listed: the simplest way to poison.",
        "Fetch what was listed, or look at each of these pictures and state its hash anew.",
    ),
    "trigger_patch": FindingKind(
        _S, "The same patch stands in a corner of different pictures",
        "A patch that a few pictures share can be a trigger; it can also be a logo.",
        "Look at them, and remove them unless you know what the patch is.",
    ),
    "feature_outlier": FindingKind(
        _S, "Pictures stand out from others of their label",
        "Features that split a label in two are how a backdoor looks; they can be a rare kind too.",
        "Look at them, and remove those that do not belong.",
    ),
    "caption_mismatch": FindingKind(
        _M, "Captions do not fit their pictures",
        "A model learns that words mean what they do not.",
        "Look at them; write the captions anew or remove the pictures.",
    ),
    "label_doubtful": FindingKind(
        _M, "Labels are probably wrong",
        "Pictures that look alike mostly carry another label.",
        "Look at them and correct the label.",
    ),
    "caption_repeated": FindingKind(
        _M, "The same caption stands under many different pictures",
        "Repeated captions tie a phrase to pictures that have nothing in common.",
        "Look at them; write captions anew or remove them.",
    ),
    "exif_serial": FindingKind(
        _M, "Pictures carry the camera's serial number",
        "It ties pictures to one another, and so to one person.",
        "Strip the EXIF serial numbers.",
    ),
    "duplicate_exact": FindingKind(
        _M, "Files are exact copies of others",
        "What stands there twice is learnt twice and memorised sooner.",
        "Keep one file of each.",
    ),
    "duplicate_near": FindingKind(
        _M, "Pictures are nearly the same as others",
        "Scaled or recompressed copies weigh like new pictures.",
        "Keep the best one of each group.",
    ),
    "picture_dark": FindingKind(
        _M, "Pictures are almost black", "Little can be seen and learnt.",
        "Look at them; brighten or remove.",
    ),
    "picture_light": FindingKind(
        _M, "Pictures are almost white", "Little can be seen and learnt.",
        "Look at them; correct or remove.",
    ),
    "picture_blurred": FindingKind(
        _M, "Pictures are blurred", "A model learns to blur.",
        "Look at them; keep what is meant so.",
    ),
    "picture_plain": FindingKind(
        _M, "Pictures hold almost no information", "A plain area teaches nothing.",
        "Look at them; placeholders of dead links are common.",
    ),
    "picture_narrow": FindingKind(
        _M, "Pictures have an odd shape", "Cropping to a square loses most of them.",
        "Crop them by hand or remove them.",
    ),
    "picture_small": FindingKind(
        _M, "Pictures are very small", "Scaling them up teaches blur.", "Find larger versions.",
    ),
    "picture_without_annotation": FindingKind(
        _M, "Pictures have no row in the annotations",
        "Nothing is known of them, so consent and licence count as unknown.",
        "Add a row for each.",
    ),
    "group_missing": FindingKind(
        _S, "A group of the reference population is absent",
        "What a model never saw it draws badly, or as something else.",
        "Collect pictures of this group, with consent.",
    ),
    "cells_thin": FindingKind(
        _M, "Intersections of groups are thin or empty",
        "Each attribute can look even while a combination has hardly anybody.",
        "Collect for the thin combinations, beginning with the empty ones.",
    ),
    "attribute_like_date": FindingKind(
        _M, "Values of an attribute look like dates that were ranges",
        "A spreadsheet makes 9-Mar of 3-9, and then nobody knows which group it was.",
        "Take the column from its source anew, opened as text.",
    ),
    "attribute_origin_missing": FindingKind(
        _N, "It is not said who stated an attribute",
        "What people say of themselves and what others see in them are two things.",
        "Add a column attr_origin.<name> with self-declared, annotator-perceived, caption-derived "
        "or model-inferred.",
    ),
    "annotation_repeated": FindingKind(
        _N, "Rows stand there twice, alike", "Harmless, but somebody joined tables wrongly.",
        "Delete the copies.",
    ),
    "column_not_used": FindingKind(
        _N, "Columns of the annotations were not used",
        "An attribute is only counted if its column is named attr.<name>.",
        "Rename the column if it was meant; docs/audit.md lists the names.",
    ),
    "file_not_taken": FindingKind(
        _N, "Files were not taken as pictures", "Their names promise none, or they are links.",
        "Rename them if they are pictures.",
    ),
    "synthetic_stated": FindingKind(
        _N, "Pictures say of themselves that AI made them",
        "Learning from generated pictures narrows what a model draws.",
        "Decide what share of them the data set may have.",
    ),
    "face_possible": FindingKind(
        _N, "Pictures may show faces",
        "Who can be recognised has a say in how the picture is used.",
        "See that consent is stated for whoever is shown.",
    ),
    "c2pa_present": FindingKind(
        _N, "Pictures carry a C2PA credential",
        "It may say that a picture is AI-made, or that it must not be trained on.",
        "Read them with wardmark verify.",
    ),
}  # fmt: skip

DARK_BELOW: Final = 40  # luma 0..255: all but a twentieth of the picture is darker
LIGHT_ABOVE: Final = 235  # luma: all but a twentieth of the picture is lighter
BLURRED_BELOW: Final = (
    12.0  # variance of the Laplacian at 256 pixels; docs/audit.md has the figures
)
PLAIN_BELOW: Final = 1.5  # bits of 8; a drawing of a few flat colours has more
NARROW_RATIO: Final = 3.0  # longer over shorter side
SMALL_SIDE: Final = 64  # pixels


def findings_of(sample: Sample) -> Iterator[Finding]:
    """What one sample shows by itself. Contradictions and copies are found elsewhere."""
    key = sample.key
    yield from _of_inspection(key, sample.inspection)
    match sample.consent:
        case ConsentState.WITHDRAWN | ConsentState.UNKNOWN:
            yield Finding(f"consent_{sample.consent}", key)
        case ConsentState.EXPIRED:
            ended = f"on {sample.consent_expires}" if sample.consent_expires else None
            yield Finding("consent_expired", key, detail=ended)
        case _ if not sample.consent_evidence:
            yield Finding("consent_without_evidence", key, detail=f"stated as {sample.consent}")
    if sample.licence_use is LicenceUse.UNSPECIFIED:
        said = f"stated as {sample.licence[:200]!r}" if sample.licence else "not stated"
        yield Finding("licence_unknown", key, detail=said)
    if sample.fit is Fit.CONFLICT:
        yield Finding("licence_conflict", key, detail=sample.licence)
    if sample.reserved:
        yield Finding("rights_reserved", key, detail=f"by {sample.reserved}")
    if sample.caption_personal:
        yield Finding("caption_personal", key, detail=sample.caption_personal)
    measured = sample.inspection.sha256
    if sample.stated_sha256 and measured and sample.stated_sha256 != measured:
        yield Finding("url_drift", key, detail=f"stated {sample.stated_sha256[:16]}")


def _of_inspection(key: str, seen: Inspection) -> Iterator[Finding]:
    if seen.problem is not None:
        yield Finding(f"picture_{seen.problem}", key, detail=seen.detail)
        return
    if seen.gps:
        yield Finding("exif_gps", key)
    if seen.serial:
        yield Finding("exif_serial", key)
    if seen.owner:
        yield Finding("exif_owner", key)
    if seen.c2pa:
        yield Finding("c2pa_present", key, detail=seen.credential)
    if seen.c2pa and seen.credential == "broken":
        yield Finding("credential_broken", key)
    if seen.text_personal:
        yield Finding("text_personal", key, detail=seen.text_personal)
    if seen.faces:
        yield Finding("face_possible", key, detail=f"{seen.faces}")
    if seen.synthetic:
        yield Finding("synthetic_stated", key)
    width, height = seen.width or 0, seen.height or 0
    if min(width, height) < SMALL_SIDE:
        yield Finding("picture_small", key, detail=f"{width}x{height}")
    if max(width, height) > NARROW_RATIO * min(width, height):
        yield Finding("picture_narrow", key, detail=f"{width}x{height}")
    # One reason for each picture, the plainest first: a black picture is also plain and blurred.
    if seen.dark is not None and seen.dark < DARK_BELOW:
        yield Finding("picture_dark", key, detail=f"95 % of it below luma {seen.dark}")
    elif seen.light is not None and seen.light > LIGHT_ABOVE:
        yield Finding("picture_light", key, detail=f"95 % of it above luma {seen.light}")
    elif seen.entropy is not None and seen.entropy < PLAIN_BELOW:
        yield Finding("picture_plain", key, detail=f"{seen.entropy} bits of 8")
    elif seen.sharpness is not None and seen.sharpness < BLURRED_BELOW:
        yield Finding("picture_blurred", key, detail=f"sharpness {seen.sharpness}")
