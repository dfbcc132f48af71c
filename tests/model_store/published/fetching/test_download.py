"""Downloads go on where they stopped, and nothing but the published bytes becomes a file."""

import hashlib
import random
from pathlib import Path

import pytest

from model_store.errors import DiskFull, DownloadDamaged, DownloadFailed
from model_store.published.fetching.download import ATTEMPTS, download
from model_store.published.sources import Source
from tests.model_store.published.file_server import FileHost, Hosted

DATA = random.Random(5).randbytes(400_000)
CUT = 150_000
PAUSE_S = 0.001


def source_of(host: FileHost, data: bytes = DATA, **facts: object) -> Source:
    host.files.setdefault("/net.pth", Hosted(data))
    known = {"name": "net.pth", "gives": ("unet",), "address": f"{host.address}/net.pth"}
    return Source(**{**known, "sha256": hashlib.sha256(DATA).hexdigest(), **facts})  # type: ignore[arg-type]


def test_a_file_arrives_whole_and_leaves_no_trace_of_its_way(host: FileHost, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download(source_of(host), tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == DATA
    assert [file.name for file in path.parent.iterdir()] == ["net.pth"]
    assert seen[0] == (0, len(DATA))
    assert seen[-1] == (len(DATA), len(DATA))


def test_a_file_that_is_there_is_not_fetched_again(host: FileHost, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(DATA)
    download(source_of(host), tmp_path)
    assert host.asked == []


def test_a_broken_connection_resumes_and_fetches_only_what_is_missing(host: FileHost, tmp_path: Path) -> None:
    host.files["/net.pth"] = Hosted(DATA, cut_after=[CUT, 1000])
    path = download(source_of(host), tmp_path, pause_s=PAUSE_S)
    assert path.read_bytes() == DATA
    assert [asked[1] for asked in host.asked] == ["", f"bytes={CUT}-", f"bytes={CUT + 1000}-"]


def test_another_run_resumes_where_the_first_was_stopped(host: FileHost, tmp_path: Path) -> None:
    source = source_of(host)

    def stop(done: int, _total: int | None) -> None:
        if done >= CUT:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(source, tmp_path, stop)
    kept = (tmp_path / "net.pth.partial").stat().st_size
    assert kept >= CUT
    assert download(source, tmp_path).read_bytes() == DATA
    assert host.asked[-1][1] == f"bytes={kept}-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(host: FileHost, tmp_path: Path) -> None:
    host.files["/net.pth"] = Hosted(b"old" * 100_000, cut_after=[CUT] + [0] * ATTEMPTS)
    with pytest.raises(DownloadFailed):
        download(source_of(host), tmp_path, pause_s=PAUSE_S)
    host.files["/net.pth"] = Hosted(DATA)
    assert download(source_of(host), tmp_path).read_bytes() == DATA
    assert host.asked[-1][1] == f"bytes={CUT}-"


@pytest.mark.parametrize("hosted", [Hosted(DATA, has_ranges=False), Hosted(DATA, has_tag=False)])
def test_a_host_without_ranges_or_tags_sends_everything_again(host: FileHost, tmp_path: Path, hosted: Hosted) -> None:
    hosted.cut_after = [CUT]
    host.files["/net.pth"] = hosted
    assert download(source_of(host), tmp_path, pause_s=PAUSE_S).read_bytes() == DATA


def test_a_download_killed_after_its_last_byte_needs_no_other(host: FileHost, tmp_path: Path) -> None:
    source = source_of(host)
    (tmp_path / "net.pth.partial").write_bytes(DATA)
    (tmp_path / "net.pth.partial-of").write_text(host.files["/net.pth"].tag)
    seen: list[int] = []
    assert download(source, tmp_path, lambda done, _: seen.append(done)).read_bytes() == DATA
    assert seen == []


def test_a_host_that_stumbles_is_asked_again(host: FileHost, tmp_path: Path) -> None:
    host.files["/net.pth"] = Hosted(DATA, statuses=[503, 429, 502])
    assert download(source_of(host), tmp_path, pause_s=PAUSE_S).read_bytes() == DATA
    assert len(host.asked) == 4


def test_a_host_that_stays_down_is_given_up_and_what_arrived_is_kept(host: FileHost, tmp_path: Path) -> None:
    host.files["/net.pth"] = Hosted(DATA, cut_after=[CUT] + [0] * ATTEMPTS)
    with pytest.raises(DownloadFailed, match="run the command again"):
        download(source_of(host), tmp_path, pause_s=PAUSE_S)
    assert (tmp_path / "net.pth.partial").stat().st_size == CUT
    assert len(host.asked) == ATTEMPTS


def test_an_address_where_nobody_listens_is_named(tmp_path: Path) -> None:
    source = Source("net.pth", ("unet",), "http://127.0.0.1:9/net.pth")
    with pytest.raises(DownloadFailed, match=r"http://127\.0\.0\.1:9/net\.pth cannot be reached"):
        download(source, tmp_path, pause_s=PAUSE_S)


@pytest.mark.parametrize(("status", "says"), [(404, "not at .* any more"), (403, "refuses"), (400, "status 400")])
def test_a_host_that_says_no_is_asked_once(host: FileHost, tmp_path: Path, status: int, says: str) -> None:
    host.files["/net.pth"] = Hosted(DATA, statuses=[status] * 9)
    with pytest.raises(DownloadFailed, match=says):
        download(source_of(host), tmp_path, pause_s=PAUSE_S)
    assert len(host.asked) == 1


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_page_instead_of_the_file_is_explained(host: FileHost, tmp_path: Path, content_type: str) -> None:
    page = b"\n<!DOCTYPE html><html><title>Virus scan warning</title></html>" + b" " * 100_000
    host.files["/net.pth"] = Hosted(page, content_type=content_type)
    with pytest.raises(DownloadDamaged, match=r"web page .* in a browser"):
        download(source_of(host), tmp_path, pause_s=PAUSE_S)
    assert not (tmp_path / "net.pth").exists()


def test_a_flipped_byte_is_found_and_the_file_deleted(host: FileHost, tmp_path: Path) -> None:
    flipped = bytearray(DATA)
    flipped[len(DATA) // 2] ^= 1
    with pytest.raises(DownloadDamaged, match="digest"):
        download(source_of(host, bytes(flipped)), tmp_path, pause_s=PAUSE_S)
    assert list(tmp_path.iterdir()) == []


def test_a_published_beginning_of_a_digest_is_enough_to_tell(host: FileHost, tmp_path: Path) -> None:
    start = hashlib.sha256(DATA).hexdigest()[:8]
    assert download(source_of(host, sha256=start), tmp_path).read_bytes() == DATA
    with pytest.raises(DownloadDamaged, match="00000000"):
        download(source_of(host, sha256="00000000", name="other.pth"), tmp_path)


def test_a_file_of_another_length_is_refused_before_it_is_fetched(host: FileHost, tmp_path: Path) -> None:
    with pytest.raises(DownloadDamaged, match="400000 bytes, the published file 399999"):
        download(source_of(host, size_bytes=399_999), tmp_path)
    assert not list(tmp_path.glob("*.pth*"))


def test_a_file_larger_than_the_disk_is_refused_before_it_fills_it(host: FileHost, tmp_path: Path) -> None:
    host.files["/net.pth"] = Hosted(b"x", claims_bytes=2**60)
    with pytest.raises(DiskFull, match="DIFFAM_DATA_DIR"):
        download(source_of(host), tmp_path, pause_s=PAUSE_S)


def test_the_hub_gives_a_digest_where_none_was_published(host: FileHost, tmp_path: Path) -> None:
    source = source_of(host, sha256="", address=f"{host.address}/owner/net/resolve/main/net.pth")
    linked = hashlib.sha256(DATA).hexdigest()
    host.files["/owner/net/resolve/main/net.pth"] = Hosted(
        b"", redirect=f"{host.address}/net.pth", extra={"X-Linked-ETag": f'"{linked}"'}
    )
    assert download(source, tmp_path).read_bytes() == DATA
    (tmp_path / "net.pth").unlink()
    host.files["/net.pth"] = Hosted(DATA[:-1] + b"?")
    with pytest.raises(DownloadDamaged, match=linked[:16]):
        download(source, tmp_path)


def test_a_resumed_file_from_the_hub_is_resumed_behind_its_redirect(host: FileHost, tmp_path: Path) -> None:
    source = source_of(host, address=f"{host.address}/resolve/net.pth")
    host.files["/resolve/net.pth"] = Hosted(b"", redirect=f"{host.address}/net.pth")
    host.files["/net.pth"].cut_after = [CUT]
    assert download(source, tmp_path, pause_s=PAUSE_S).read_bytes() == DATA
    assert host.asked[-1][:2] == ("/net.pth", f"bytes={CUT}-")
