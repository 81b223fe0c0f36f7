"""Policies by name (a pack of ours) or from a YAML file."""

from importlib.resources import files
from pathlib import Path

from policies.errors import PolicyInvalid, PolicyNotFound, PolicyUnreadable, Problem
from policies.faults import model_of
from policies.fields import nearest
from policies.inclusion import Effective, effective
from policies.language import PolicyDocument
from policies.policy import Policy
from policies.source import MAX_BYTES, Source, read_source
from policies.written import PolicyFile

SUFFIXES = (".yaml", ".yml")
MAX_DEPTH = 8  # files that include one another


def load_policy(name_or_path: str | Path) -> Policy:
    """The pack of that name, or the policy in that file (a path, or anything ending in .yaml).

    Raises PolicyNotFound, which lists the packs; PolicyInvalid, which tells line and column of
    every fault; PolicyUnreadable when the system refuses the file.
    """
    return Policy(load_effective(name_or_path).document)


def load_effective(name_or_path: str | Path) -> Effective:
    """The same with its history: what it includes, and where each rule comes from."""
    path = policy_path(name_or_path)
    return _joined(read_file(path), path, (path.resolve(),), {})


def effective_of(text: str | bytes, path: Path) -> Effective:
    """What ``load_effective(path)`` would give if the file there held ``text``: for drafts.

    Raises as ``load_effective``.
    """
    return _joined(read_source(text, path.name), path, (path.resolve(),), {})


def list_policies() -> tuple[Policy, ...]:
    """Every pack that comes with Wardmark, by name."""
    return tuple(load_policy(name) for name in pack_names())


def pack_names() -> tuple[str, ...]:
    """Names of the packs, sorted."""
    return tuple(sorted(path.stem for path in packs_folder().glob("*.yaml")))


def packs_folder() -> Path:
    """Where the packs lie. Cases of a pack lie in ``cases`` below."""
    return Path(str(files("policies"))) / "packs"


def policy_path(name_or_path: str | Path) -> Path:
    """The file that ``name_or_path`` stands for. Raises PolicyNotFound."""
    given = str(name_or_path)
    if isinstance(name_or_path, Path) or given.endswith(SUFFIXES) or "/" in given:
        path = Path(given)
        if not path.exists():
            raise PolicyNotFound(f"no policy file {given}; packs are {', '.join(pack_names())}")
        return path
    names = pack_names()
    if given not in names:
        hint = nearest(given, names)
        raise PolicyNotFound(
            f"no policy pack {given!r}{hint}. Packs: {', '.join(names)}; or give a .yaml file"
        )
    return packs_folder() / f"{given}.yaml"


def read_file(path: Path) -> Source:
    """A YAML file as data with places. Raises PolicyInvalid, PolicyUnreadable."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)  # one more than allowed is enough to refuse it
    except OSError as error:
        raise PolicyUnreadable(
            f"{path} cannot be read: {error.strerror}; check that it is a file and its permissions"
        ) from error
    return read_source(text, path.name)


def document_of(source: Source) -> PolicyDocument:
    """The policy that a text says, which may include packs alone.

    Raises PolicyInvalid with every fault and its place.
    """
    return _joined(source, None, (), {}).document


def _joined(
    source: Source, here: Path | None, above: tuple[Path, ...], known: dict[Path, Effective]
) -> Effective:
    """``here``: the file; ``above``: the files that are being read, outermost first; ``known``:
    those that were read, each of them once however often it is included."""
    file = model_of(PolicyFile, source)
    folder = here.parent if here else None
    includes, problems = [], []
    for position, name in enumerate(file.includes):
        try:
            path = _included(name, folder, above)
            real = path.resolve()
            if real not in known:
                known[real] = _joined(read_file(path), path, (*above, real), known)
            includes.append(known[real])
        except (PolicyInvalid, PolicyNotFound) as error:
            place = source.place(("includes", position))
            problems.append(Problem(*place, f"{name!r} cannot be included: {error}"))
    if problems:
        raise source.invalid(problems)
    return effective(source, file, includes, here)


def _included(name: str, folder: Path | None, above: tuple[Path, ...]) -> Path:
    if folder is None and name.endswith(SUFFIXES):
        raise PolicyNotFound("a text that is no file can include packs only")
    path = policy_path(folder / name if folder and name.endswith(SUFFIXES) else name)
    if path.resolve() in above:
        raise PolicyInvalid("it includes itself, at once or by way of others")
    if len(above) >= MAX_DEPTH:
        raise PolicyInvalid(f"files include one another more than {MAX_DEPTH} deep")
    return path
