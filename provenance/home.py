"""A home directory: settings, keys and the ledger of one deployment.

    HOME/
      wardmark.toml     who provides this system; read by people too
      ledger.db         the ledger (SQLite), unless the settings name another database
      ledger.key        Ed25519, signs checkpoints; ledger.pub beside it verifies them
      commitment.key    keys the commitments that stand in the ledger for prompts and subjects
      subject-keys.db   the keys of subjects, unless the settings name another database; never
                        into a backup together with the ledger (docs/forgetting.md)
      keys/             certificate chain and key of the signer of credentials
      mark.keys         the keys of watermarks, the current one first

``Home.create`` builds it beside its place and renames it there, so that a home is whole or absent.
"""

import os
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, ValidationError

from policies.decision import Frozen
from provenance.callers import CallerSettings
from provenance.credential import DataSet
from provenance.credential.stamping import TIMEOUT, StampPolicy, TimeAuthorities
from provenance.errors import HomeInvalid, LedgerOccupied, OutputFailed
from provenance.keys import (
    Signer,
    SignerSettings,
    create_development_signer,
    load_trust,
    open_signer,
)
from provenance.keys.trust import load_time_stamping
from provenance.ledger import Event, Ledger, LedgerKey, VerifierKey, load_verifier
from provenance.ledger.commitment import create_commitment_key, load_commitment_key
from provenance.ledger.forgetting import KeyStore, Subjects
from provenance.ledger.key import verifier_path
from provenance.ledger.retention import load_plan
from provenance.review import AppealSettings, ReviewSettings
from provenance.verify import Sources
from provenance.verify.sources import default_schemes
from provenance.watermark import DEFAULT_SCHEME, Scheme, load_scheme
from provenance.watermark.keys import MarkKey, create_mark_keys, load_mark_keys
from provenance.watermark.onnx_pair import OnnxPair, OnnxPairScheme
from provenance.work import WorkSettings

SETTINGS_FILE = "wardmark.toml"
LEDGER_FILE = "ledger.db"
KEY_FILE = "ledger.key"
KEYS_FOLDER = "keys"
MARK_KEYS_FILE = "mark.keys"
SUBJECT_KEYS_FILE = "subject-keys.db"
SETTINGS_TEMPLATE = """\
# Wardmark: the settings of this home.

# These four stand in every credential (California SB 942 asks for them).
provider = "{provider}"
system = "Wardmark"
system_version = "{version}"

# The policy that decides when a request names none: a pack's name or a file.
policy = "default"

# A policy on trial: it is asked about a share of all requests (1.0: all) and recorded, without any
# effect (docs/policies.md). Empty means none.
candidate = ""
candidate_share = 1.0

# Where the ledger lives; empty means ledger.db in this folder.
database = "{database}"

# Where the keys of subjects live, never the ledger's own database; empty means subject-keys.db in
# this folder. Several hosts on one ledger share one store.
subject_keys = "{subject_keys}"

# How long sealed data stays readable (docs/forgetting.md); empty means the shipped plan.
retention = ""

# The watermark scheme that marks pictures; empty means the default. Schemes with weights of your
# own are declared as [[schemes]] at the end of this file (docs/watermark.md).
scheme = ""

# Lists of known content (docs/image-guard.md gives the form); relative to this folder.
known_content = []

# How regions are made unreadable where policy redacts: pixelate, blur, inpaint, or core, which
# paints over them.
redaction = "pixelate"

# Generators besides the embedded one (checkpoints, services) are declared as [[cores]] at the end
# of this file (docs/cores.md) and named by --core.

# Guards of prompts of your own are declared as [[prompt_guards]] at the end of this file
# (docs/prompt-guard.md); without any, the embedded one assesses. Guards that look at pictures are
# declared as [[image_guards]] (docs/image-guard.md); without any, nobody looks at scenes. With
# second_view they look at uploads again, cleaned, and say where that changes their answer.
second_view = false

# Who says when a picture was signed (docs/credential.md): addresses of RFC 3161 authorities, asked
# in turn. policy: required (no picture without one), try (without where all are down), off.
time_stamps = {{ urls = [], policy = "off" }}

# The key that signs lies in this home: wardmark keys. Keys in files, tokens and services, and the
# data sets behind a core: docs/credential.md.
"""


class StampSettings(Frozen):
    """Who is asked when a picture was signed. ``timeout``: seconds for each."""

    urls: tuple[str, ...] = ()
    policy: StampPolicy = StampPolicy.OFF
    timeout: float = Field(default=TIMEOUT, gt=0, le=60)


class CoreDataSet(DataSet):
    """A data set that the core of the name ``core`` was trained on."""

    core: str = Field(min_length=1)


class Settings(Frozen):
    """What ``wardmark.toml`` may say."""

    provider: str = Field(min_length=1)
    system: str = "Wardmark"
    system_version: str
    policy: str = "default"
    candidate: str = ""
    candidate_share: float = Field(default=1.0, ge=0.0, le=1.0)
    database: str = ""
    subject_keys: str = ""
    retention: str = ""
    known_content: tuple[Path, ...] = ()
    scheme: str = ""
    schemes: tuple[OnnxPair, ...] = ()
    time_stamps: StampSettings = StampSettings()
    signer: SignerSettings = SignerSettings()
    data_sets: tuple[CoreDataSet, ...] = ()
    work: WorkSettings = WorkSettings()
    callers: CallerSettings = CallerSettings()
    review: ReviewSettings = ReviewSettings()
    appeals: AppealSettings = AppealSettings()
    prompt_guards: tuple[Mapping[str, Any], ...] = ()  # the guard wing knows their form
    cores: tuple[Mapping[str, Any], ...] = ()  # the same
    noise_marks: tuple[str, ...] = ()  # cores by name
    word_evidence: bool = False
    image_guards: tuple[Mapping[str, Any], ...] = ()
    second_view: bool = False
    training_data: tuple[Mapping[str, Any], ...] = ()
    redaction: Literal["pixelate", "blur", "inpaint", "core"] = "pixelate"


def _quoted(text: str) -> str:
    """``text`` as it stands between the quotation marks of TOML."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def default_path() -> Path:
    """``$WARDMARK_HOME``, else the platform's data directory."""
    named = os.environ.get("WARDMARK_HOME")
    return Path(named) if named else Path(platformdirs.user_data_dir("wardmark"))


@dataclass(frozen=True)
class Home:
    """An existing home. Parts are opened when first used."""

    path: Path

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        provider: str,
        version: str,
        database: str = "",
        subject_keys: str = "",
    ) -> "Home":
        """Make a home with a fresh ledger, ledger key and DEVELOPMENT signing certificate.

        ``database`` and ``subject_keys``: URLs of empty databases for the ledger and for the keys
        of subjects, in place of files in the home. Raises HomeInvalid where something else stands,
        OutputFailed where it cannot be written, LedgerOccupied where the database holds a ledger,
        LedgerUnavailable.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise HomeInvalid(f"{path} is not empty; name an empty or new folder with --home")
        import migrations

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            building = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        except OSError as error:
            raise OutputFailed(f"cannot make {path}: {error.strerror}") from error
        try:
            written = {"provider": provider, "database": database, "subject_keys": subject_keys}
            text = SETTINGS_TEMPLATE.format(
                version=version, **{name: _quoted(value) for name, value in written.items()}
            )
            (building / SETTINGS_FILE).write_text(text, encoding="utf-8")
            (building / SETTINGS_FILE).chmod(0o600)  # the URL of a database may hold a password
            key = LedgerKey.create(building / KEY_FILE)
            create_commitment_key(building / "commitment.key")
            create_development_signer(building / KEYS_FOLDER)
            create_mark_keys(building / MARK_KEYS_FILE)
            ledger_url = database or f"sqlite:///{building / LEDGER_FILE}"
            migrations.upgrade(ledger_url)
            keys_url = subject_keys or f"sqlite:///{building / SUBJECT_KEYS_FILE}"
            KeyStore.create(keys_url).close()
            with Ledger(ledger_url, key) as ledger:
                if ledger.size:
                    raise LedgerOccupied(
                        "that database holds a ledger; copy the home of a host that writes to it"
                    )
                ledger.append([Event(kind="home.created", body={"version": version})])
            if path.exists():
                path.rmdir()
            building.rename(path)
        except OSError as error:
            raise OutputFailed(f"cannot make {path}: {error.strerror}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> "Home":
        """The home at ``path``. Raises HomeInvalid when there is none."""
        if not cls.exists(path):
            raise HomeInvalid(f"no Wardmark home at {path}; make one with: wardmark init")
        return cls(path)

    @staticmethod
    def exists(path: Path) -> bool:
        return (path / SETTINGS_FILE).is_file()

    @cached_property
    def settings(self) -> Settings:
        """Raises HomeInvalid where the file does not parse."""
        file = self.path / SETTINGS_FILE
        try:
            return Settings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
            raise HomeInvalid(f"{file} cannot be used: {error}") from error

    def renew_certificate(self) -> None:
        """A new development certificate under the same root; earlier signatures stay trusted."""
        create_development_signer(self.path / KEYS_FOLDER)

    @property
    def known_content(self) -> tuple[Path, ...]:
        """The lists of known content that the settings name."""
        return tuple(self.path / named for named in self.settings.known_content)

    @cached_property
    def ledger(self) -> Ledger:
        """Raises LedgerUnavailable where the database or its key cannot be used.

        Without ledger.key, what is appended to a database of PostgreSQL is handed over to who has
        it: ``wardmark ledger sequence``.
        """
        handing_over = self.settings.database and not (self.path / KEY_FILE).exists()
        return Ledger(self.ledger_url, self.verifier if handing_over else self.ledger_key)

    @property
    def ledger_url(self) -> str:
        """The database of the ledger."""
        return self.settings.database or f"sqlite:///{self.path / LEDGER_FILE}"

    @property
    def holds_ledger_key(self) -> bool:
        """Whether the private half of the ledger's key lies here."""
        return (self.path / KEY_FILE).exists()

    @cached_property
    def ledger_key(self) -> LedgerKey:
        return LedgerKey.load(self.path / KEY_FILE)

    @cached_property
    def verifier(self) -> VerifierKey:
        """The public half of the ledger's key, which a home may have alone."""
        return load_verifier(verifier_path(self.path / KEY_FILE))

    @cached_property
    def signer(self) -> Signer:
        """Raises SignerUnavailable where the key or its certificate cannot be used."""
        return open_signer(self.settings.signer, self.path, self.keys_folder)

    @property
    def stamper(self) -> TimeAuthorities:
        """Who is asked when a picture was signed; perhaps nobody."""
        asked = self.settings.time_stamps
        anchors = load_time_stamping(self.keys_folder)
        return TimeAuthorities(asked.urls, asked.policy, anchors, asked.timeout)

    @property
    def keys_folder(self) -> Path:
        """The ring of signers and the anchors that this home believes."""
        return self.path / KEYS_FOLDER

    @cached_property
    def commitment_key(self) -> bytes:
        return load_commitment_key(self.path / "commitment.key")

    @property
    def mark_keys_path(self) -> Path:
        """Where the keys of watermarks lie."""
        return self.path / MARK_KEYS_FILE

    @cached_property
    def mark_keys(self) -> tuple[MarkKey, ...]:
        """The keys of watermarks, the current one first. Raises MarkKeyInvalid."""
        return load_mark_keys(self.mark_keys_path)

    @cached_property
    def subjects(self) -> Subjects:
        """People in the ledger. Finishes a withdrawal that was interrupted.

        Raises LedgerUnavailable where the store of keys cannot be used, RetentionInvalid.
        """
        file = self.path / SUBJECT_KEYS_FILE
        url = self.settings.subject_keys or f"sqlite:///{file}"
        missing = not self.settings.subject_keys and not file.exists()  # in a home made before
        keys = KeyStore.create(url) if missing else KeyStore(url)
        named = self.settings.retention
        plan = load_plan(self.path / named) if named else load_plan()
        return Subjects(self.ledger, keys, self.commitment_key, plan)

    def scheme(self, name: str = "") -> Scheme:
        """The watermark scheme of that name, under this home's keys; by default the one that marks
        here. Raises MarkInvalid, MarkKeyInvalid, and ProvenanceUnavailable where the weights of a
        declared scheme are not those that were declared."""
        wanted = name or self.settings.scheme or DEFAULT_SCHEME
        declared = next((d for d in self.settings.schemes if d.name == wanted), None)
        keys = [key.key for key in self.mark_keys]
        if declared is not None:
            return OnnxPairScheme(declared, self.path, keys)
        return load_scheme(wanted, keys=keys)

    def sources(self) -> Sources:
        """What ``verify`` may believe and ask here: this home's development CA, its ledger, its
        keys of marks and the schemes that it declares."""
        keys = [key.key for key in self.mark_keys]
        declared = tuple(self.scheme(pair.name) for pair in self.settings.schemes)
        return Sources(
            trust=load_trust(self.path / KEYS_FOLDER),
            ledger=self.ledger,
            schemes=(*default_schemes(keys), *declared),
        )
