"""The scripts inside compose.yaml and the manifests do what they are for, run as they stand."""

import stat
import subprocess
from contextlib import closing
from pathlib import Path

import yaml

from guard.gateway.callers import ApiKeys, KeyTerms
from provenance.home import Home
from tests.deploy.conftest import ROOT, Databases

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
GATEWAY = yaml.safe_load((ROOT / "deploy/kubernetes/gateway.yaml").read_text(encoding="utf-8"))
MIGRATION = yaml.safe_load((ROOT / "deploy/kubernetes/migration.yaml").read_text(encoding="utf-8"))
POSTGRES = "postgresql://wardmark@postgres:5432/wardmark?passfile=/run/secrets/pgpass"


def run_as_it_stands(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-euc", script], env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_set_up_of_compose_makes_a_home_once_and_tables_each_time(
    shell: dict[str, str], databases: Databases, tmp_path: Path
) -> None:
    (script,) = COMPOSE["services"]["setup"]["command"]
    assert POSTGRES in script
    script = script.replace("$$", "$").replace(POSTGRES, databases.ledger)
    script = script.replace("/var/lib/wardmark", str(tmp_path))
    first = run_as_it_stands(script, shell)
    assert first.returncode == 0, first.stderr
    home = Home.open(Path(shell["WARDMARK_HOME"]))
    assert home.settings.database == databases.ledger
    assert (tmp_path / "subject-keys" / "subject-keys.db").is_file()
    with closing(home.ledger) as ledger:
        head = ledger.checkpoint()
        again = run_as_it_stands(script, shell)
        assert "nothing was changed" in again.stderr
        assert ledger.checkpoint() == head


def test_a_pod_builds_its_home_of_secrets_and_examines_it(
    shell: dict[str, str], databases: Databases, tmp_path: Path
) -> None:
    made = Home.create(
        tmp_path / "made",
        provider="Example Ltd",
        version="1",
        database=databases.ledger,
        subject_keys=databases.subject_keys,
    )
    secrets = tmp_path / "secrets"
    for name in ("home", "keys"):  # readable by the group, as a mounted secret is
        (secrets / name).mkdir(parents=True)
    for path in made.path.iterdir():
        if path.is_file():
            (secrets / "home" / path.name).write_bytes(path.read_bytes())
    for path in made.keys_folder.iterdir():
        (secrets / "keys" / path.name).write_bytes(path.read_bytes())
    pod = GATEWAY["spec"]["template"]["spec"]
    (_, _, script) = pod["initContainers"][0]["command"]
    script = script.replace("/secrets/", f"{secrets}/")

    refused = run_as_it_stands(script, shell)  # nobody has an API key yet
    assert refused.returncode == 1
    assert "api-keys create" in refused.stdout
    with closing(made.ledger), closing(ApiKeys.of(made)) as keys:
        keys.create(KeyTerms(label="first"))
    done = run_as_it_stands(script, shell)
    assert done.returncode == 0, done.stdout
    home = Path(shell["WARDMARK_HOME"])
    modes = {stat.S_IMODE(p.stat().st_mode) for p in home.rglob("*") if p.is_file()}
    assert modes == {0o600}


def test_the_job_makes_the_tables_of_both_databases(
    shell: dict[str, str], databases: Databases, tmp_path: Path
) -> None:
    (tmp_path / "migration").mkdir()
    (tmp_path / "migration" / "ledger").write_text(databases.ledger)
    (tmp_path / "migration" / "subject-keys").write_text(databases.subject_keys)
    (container,) = MIGRATION["spec"]["template"]["spec"]["containers"]
    script = container["command"][-1].replace("/secrets/", f"{tmp_path}/")
    done = run_as_it_stands(script, shell)
    assert done.returncode == 0, done.stderr
    home = Home.create(
        tmp_path / "made",
        provider="Example Ltd",
        version="1",
        database=databases.ledger,
        subject_keys=databases.subject_keys,
    )
    home.ledger.close()
