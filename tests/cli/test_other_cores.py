"""A core of the settings, the whole way."""

from pathlib import Path

from provenance.home import SETTINGS_FILE
from tests.cli.conftest import Wardmark
from tests.generation.upstreams import openai_images, upstream

REFUSED = 3
POLICY = """\
name: small
version: "1.0.0"
applies: Tests
description: Asks for every mark, and assesses prompts alone.
obligations: [watermark, credential, ledger]
rules:
  - id: nothing-violent
    stage: prompt
    on_missing: skip
    action: block
    message: nothing violent
    when: {field: score.violence, op: ">=", limit: 0.9}
"""


def test_a_picture_of_a_service_leaves_marked_signed_and_recorded(
    wardmark: Wardmark, home: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "small.yaml"
    policy.write_text(POLICY)
    picture = tmp_path / "boat.png"
    with upstream(openai_images) as service:
        settings = home / SETTINGS_FILE
        table = f"""
[[cores]]
kind = "openai"
name = "cloud"
url = "{service.url}/v1"
model = "m"
"""
        settings.write_text(settings.read_text() + table)
        asked = ("--core", "cloud", "--policy", policy, "--size", "512x512", "-o", picture)

        assert wardmark("generate", "a boat on the sea", *asked).code == 0
        report = wardmark("verify", picture, "--json").document
        assert (report["verdict"], report["origin"]) == ("established", "ai-generated")
        assert report["watermark"]["found"]

        unwatched = wardmark("generate", "a boat", *asked, "--maps", tmp_path)
        assert (unwatched.code, "draws elsewhere" in unwatched.err) == (2, True)

        refused = wardmark("generate", "a dragon", *asked, "--json")
        assert (refused.code, refused.document["error"]["code"]) == (REFUSED, "upstream_refused")
