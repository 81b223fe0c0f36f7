"""``wardmark check``: assess and decide, generate nothing."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from guard.check import Checker, CheckResult
from guard.cli.options import HomeOption, JsonOption, PolicyOption, home_if_any
from guard.cli.output import print_json, results
from guard.cli.paths import check_writable
from guard.deployment import build_checker
from guard.errors import InvalidRequest
from policies.decision import Action
from policies.errors import WardmarkError
from provenance.errors import PictureInvalid
from provenance.picture import decode, encode, read_file, write_atomically

BLOCKED = 1
WORDS_SHOWN = 8


def check(
    context: typer.Context,
    text: Annotated[str | None, typer.Option(help="A prompt.")] = None,
    image: Annotated[Path | None, typer.Option(help="A picture.")] = None,
    jsonl: Annotated[
        str | None,
        typer.Option(help='Lines {"text": ...} or {"image": path}; a file, or - for stdin.'),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what decided.")] = False,
    overlay: Annotated[
        Path | None,
        typer.Option(help="Where --explain draws it (.png); else IMAGE.explained.png."),
    ] = None,
    policy: PolicyOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Assess a prompt or a picture and say what policy decides, without generating."""
    if sum(given is not None for given in (text, image, jsonl)) != 1:
        raise InvalidRequest("give exactly one of --text, --image and --jsonl")
    checker = build_checker(home_if_any(context, home), policy=policy)
    if jsonl is not None:
        return _check_lines(checker, jsonl, explain=explain)
    if text is not None:
        result = checker.text(text, explain=explain)
    else:
        assert image is not None  # noqa: S101  # counted above
        drawn = overlay or image.with_name(f"{image.stem}.explained.png")
        if explain:
            check_writable(drawn)
        data = read_file(image)
        result = checker.image(data, explain=explain)
        if explain:
            result = _drawn(result, data, drawn)
    if as_json:
        print_json(result.document())
    else:
        _print_for_people(result)
    return BLOCKED if result.decision is Action.BLOCK else 0


def _drawn(result: CheckResult, data: bytes, path: Path) -> CheckResult:
    """``result`` whose explanation names the overlay that was written. Raises OutputFailed."""
    from guard.explain import ImageExplanation
    from guard.explain.overlay import draw_overlay

    explained = ImageExplanation.model_validate(result.explanation)
    sheet = draw_overlay(
        decode(data).pixels, explained, decision=result.decision, reasons=result.reasons
    )
    write_atomically(path, encode(sheet))
    named = {**explained.model_dump(mode="json"), "overlay": str(path)}
    return result.model_copy(update={"explanation": named})


def _check_lines(checker: Checker, name: str, *, explain: bool) -> int:
    """One object out for each line in, in order; a bad line is an object too. Worst exit code."""
    worst = 0
    with _opened(name) as lines:
        for number, line in _numbered(lines):
            try:
                result = _check_line(checker, line, explain=explain)
            except WardmarkError as error:
                problem = {"code": error.code, "message": str(error), "line": number}
                print_json({"error": problem}, lines=True)
                worst = max(worst, error.exit_code)
                continue
            print_json(result.document(), lines=True)
            if result.decision is Action.BLOCK:
                worst = max(worst, BLOCKED)
    return worst


def _opened(name: str) -> AbstractContextManager[Iterable[bytes]]:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise PictureInvalid(f"{name} cannot be read: {error.strerror}") from error


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((n, line) for n, line in enumerate(lines, start=1) if line.strip())


def _check_line(checker: Checker, line: bytes, *, explain: bool) -> CheckResult:
    try:
        given: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"not a JSON object: {error}") from error
    match given:
        case {"text": str(text)}:
            return checker.text(text, explain=explain)
        case {"image": str(path)}:
            return checker.image(read_file(Path(path)), explain=explain)
    raise InvalidRequest('each line must be {"text": "..."} or {"image": "path"}')


def _print_for_people(result: CheckResult) -> None:
    results.print(f"[bold]{result.decision.value}[/]  (policy {result.policy.name})")
    for reason in result.reasons:
        results.print(f"  {reason.rule}: {reason.message}", markup=False)
        for because in reason.because:
            results.print(
                f"    {because.field} {because.value} {because.op} {because.limit}", markup=False
            )
    flagged = {name: c for name, c in result.categories.items() if c.flagged}
    for name, category in flagged.items():
        results.print(f"  {name} {category.score:.3f} (threshold {category.threshold:.3f})")
    if result.explanation:
        _print_explanation(result.explanation)
    if result.not_assessed:
        results.print(f"  not assessed: {', '.join(result.not_assessed)}")


def _print_explanation(explanation: Mapping[str, Any]) -> None:
    for word in explanation.get("words", [])[:WORDS_SHOWN]:
        category = max(word["weight"], key=lambda name: word["weight"][name])
        without = word["without"].get(category)
        falls = "" if without is None else f"; {without:.3f} without it"
        results.print(
            f"  {word['text']!r} {category} {word['weight'][category]:+.2f} log odds{falls}",
            markup=False,
        )
    change = explanation.get("change")
    if change and "mask" in change:
        boxes = ", ".join(f"{b['width']}x{b['height']}+{b['x']}+{b['y']}" for b in change["mask"])
        milder = "pass" if change["decision"] in ("allow", "label") else f"be {change['decision']}"
        results.print(f"  would {milder} with {boxes} masked", markup=False)
    elif change:
        out = ", ".join(repr(word["text"]) for word in change["remove"])
        results.print(f"  would pass without {out}", markup=False)
    if drawn := explanation.get("overlay"):
        results.print(f"  drawn in {drawn}", markup=False)
