"""A model of a hub: only the one that the settings name, at its commit, without pickles."""

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants

from guard.errors import CoreUnavailable
from guard.generation import GenerationRequest, load_core
from guard.generation.checkpoint import digest_of
from guard.generation.declared import declared_cores, load_named_core
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.hub import snapshot
from provenance.errors import HomeInvalid

LOOPBACK = "127.0.0.1"
HUB = "painters/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TABLE: dict[str, Any] = {"kind": "diffusers", "name": "tiny", "hub": HUB, "revision": COMMIT}
ASKED = GenerationRequest(prompt="a red house", width=64, height=64, steps=2, guidance=3.0, seed=7)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub's client that is this test's own."""
    place = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place))
    return place


def put_into(cache: Path, checkpoint: Path) -> Path:
    """Lays a checkpoint into a cache as the hub's client does: blobs, and links to them."""
    place = cache / f"models--{HUB.replace('/', '--')}"
    for file in checkpoint.rglob("*"):
        if file.is_file():
            blob = place / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
            blob.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, blob)
            link = place / "snapshots" / COMMIT / file.relative_to(checkpoint)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blob)
    return place / "snapshots" / COMMIT


def test_a_model_that_lies_in_the_cache_draws_and_has_the_digest_of_its_files(
    cache: Path, tiny_sd: Path, tmp_path: Path
) -> None:
    put_into(cache, tiny_sd)
    core = load_named_core("tiny", [TABLE], tmp_path)
    local = DiffusersCore(tiny_sd, device="cpu")
    assert core.info.digest == local.info.digest
    assert core.info.domain == "open"
    assert np.array_equal(core.generate(ASKED)[0], local.generate(ASKED)[0])


def test_what_is_not_in_the_cache_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(CoreUnavailable, match="not in the cache of the hub on this machine"):
        load_named_core("tiny", [TABLE], tmp_path)


def test_a_hub_id_that_the_settings_do_not_name_is_refused(cache: Path, tiny_sd: Path) -> None:
    put_into(cache, tiny_sd)
    with pytest.raises(CoreUnavailable, match="declared there, with its commit"):
        load_core(HUB)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"revision": None}, "needs a revision"),
        ({"revision": "main"}, "revision"),
        ({"hub": "https://hub.example/painters/tiny"}, "hub"),
        ({"path": "checkpoints/tiny"}, "either the path"),
        ({"hub": None}, "either the path"),
        ({"hub": None, "path": "checkpoints/tiny"}, "belong to a hub id"),
    ],
)
def test_a_model_that_is_not_named_exactly_is_refused(
    changes: dict[str, object], words: str
) -> None:
    table = {name: value for name, value in (TABLE | changes).items() if value is not None}
    with pytest.raises(HomeInvalid, match=words):
        declared_cores([table])


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12]])
def test_only_a_commit_names_a_model(revision: str) -> None:
    with pytest.raises(CoreUnavailable, match="branch or a tag can be moved"):
        snapshot(HUB, revision)


def test_a_pickle_beside_the_weights_in_the_cache_is_refused(
    cache: Path, tiny_sd: Path, tmp_path: Path
) -> None:
    (put_into(cache, tiny_sd) / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(CoreUnavailable, match="pickle"):
        load_named_core("tiny", [TABLE], tmp_path)


@contextmanager
def hub_with(checkpoint: Path) -> Iterator[tuple[str, list[str]]]:
    """A hub of one model, and the files that it was asked for."""
    files = {
        path.relative_to(checkpoint).as_posix(): path
        for path in checkpoint.rglob("*")
        if path.is_file()
    }
    given: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            path = self.path.split("?")[0]
            resolved = path.removeprefix(f"/{HUB}/resolve/{COMMIT}/")
            if path == f"/api/models/{HUB}/tree/{COMMIT}":
                listed = [
                    {"type": "file", "path": name, "size": file.stat().st_size, "oid": name}
                    for name, file in files.items()
                ]
                body, kind = json.dumps(listed).encode(), "application/json"
            elif resolved in files:
                body, kind = files[resolved].read_bytes(), "application/octet-stream"
                if with_body:
                    given.append(resolved)
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}", given
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_where_the_settings_allow_it_the_commit_is_fetched_without_its_pickles(
    tiny_sd: Path, tmp_path: Path
) -> None:
    offered = Path(shutil.copytree(tiny_sd, tmp_path / "offered"))
    (offered / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickled")
    (offered / "pipeline.py").write_text("raise SystemExit")
    with hub_with(offered) as (address, given):
        fetched = snapshot(HUB, COMMIT, fetch=True, endpoint=address)
    assert digest_of(fetched) == digest_of(tiny_sd)
    assert "unet/diffusion_pytorch_model.safetensors" in given
    assert not [name for name in given if name.endswith((".bin", ".py"))]
    core = load_named_core("tiny", [TABLE], tmp_path)  # it lies in the cache now
    assert core.info.digest == digest_of(tiny_sd)
