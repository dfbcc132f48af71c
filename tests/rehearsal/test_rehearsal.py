"""The way of the published models, rehearsed: pull, import, verify, protect, evaluate.

Read beside docs/published.md: the same commands, on files of the published keys with random values. The networks are
small by default, and of the published sizes with `make rehearsal`.
"""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomli_w
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from model_store.published.sources import PUBLISHED
from model_store.rendered.scenes import demo_scene
from tests.model_store.published.file_server import Hosted, file_host
from tests.rehearsal.published_files import BY_HAND, SERVED, write_pickle
from tests.rehearsal.shrunk import shrunk

LARGEST_PROCESS_BYTES = 12 * 2**30
pytestmark = pytest.mark.timeout(1200)


Run = Callable[[Sequence[str], dict[str, str]], tuple[int, str]]
"""The exit status of a command, by its words and its environment, and what it printed."""


def in_a_process_of_its_own(words: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=Path(__file__).parents[2], env=environment,
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def at_once(words: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
    """In this process, on small networks."""
    with shrunk():
        done = CliRunner().invoke(app, words, env=dict.fromkeys(os.environ) | environment)
    return done.exit_code, done.output


@dataclass(frozen=True)
class Place:
    """A folder of the user's own, and the commands in it."""

    folder: Path
    run: Run

    @property
    def bundle(self) -> Path:
        """Where the pulled bundle is."""
        return self.folder / "data/bundles/celebahq-256"

    def diffam(self, *words: str, fails: bool = False, **settings: str) -> str:
        """What a command printed; it must end well, or with `fails` must not."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DIFFAM_")}
        environment |= {"DIFFAM_DATA_DIR": str(self.folder / "data"), "COLUMNS": "200"} | settings
        status, said = self.run(words, environment)
        assert (status != 0) == fails, said[-6000:]
        return said


def sources_of(host: str, served: dict[str, bytes], by_hand: dict[str, bytes]) -> str:
    """The shipped table, with the files on `host` and their own digests."""
    table = tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))
    rows = [row for row in table["files"] if row["name"] in served | by_hand]
    for row in rows:
        for key in ("huggingface", "path", "sha256_starts", "about_bytes", "size_bytes"):
            row.pop(key, None)
        row["sha256"] = hashlib.sha256((served | by_hand)[row["name"]]).hexdigest()
        if row["name"] in served:
            row["address"] = f"{host}/{row['name']}"
    return tomli_w.dumps(table | {"files": rows})


SIZES = ["small", pytest.param("published", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=SIZES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A user who pulled the bundle: what can be fetched from a host, the rest put there by hand."""
    folder, is_small = tmp_path_factory.mktemp("published"), request.param == "small"
    downloads = folder / "data/downloads/celebahq-256"
    downloads.mkdir(parents=True)
    with shrunk() if is_small else nullcontext():
        served = {name: write(folder / name).read_bytes() for name, write in SERVED.items()}
        by_hand = {name: write(downloads / name).read_bytes() for name, write in BY_HAND.items()}
        write_pickle("celeba_hq_ddpm", folder / "tuned.ckpt", seed=1)
    user = Place(folder, at_once if is_small else in_a_process_of_its_own)
    with file_host() as host:
        host.files = {f"/{name}": Hosted(data, cut_after=[len(data) // 2]) for name, data in served.items()}
        (folder / "sources.toml").write_text(sources_of(host.address, served, by_hand), encoding="utf-8")
        pull_in_two_goes(user, downloads / "79999_iter.pth")
        resumed = [asked for asked in host.asked if asked[1]]
        assert len(resumed) == len(served), "each download broke off once and went on where it was"
    for name in served:
        (folder / name).unlink()
    user.diffam(
        "models", "import", "--style", str(folder / "tuned.ckpt"), "--reference", "xmy_060", "--target", "005869",
        "--held-out", "facenet",
    )  # fmt: skip
    yield user
    shutil.rmtree(folder)


def pull_in_two_goes(user: Place, late: Path) -> None:
    """At first one of the files that people fetch themselves is not there yet."""
    pull = ("models", "pull", "celebahq-256", "--sources", str(user.folder / "sources.toml"))
    late.rename(user.folder / late.name)
    assert late.name in user.diffam(*pull, "--accept-licences", fails=True)
    assert not user.bundle.exists()
    (user.folder / late.name).rename(late)
    user.diffam(*pull)


def test_the_pulled_bundle_is_whole_and_runs_here(place: Place) -> None:
    assert "every file is the one that was published" in place.diffam("models", "verify", "celebahq-256")
    assert "celebahq-256" in place.diffam("doctor", "celebahq-256")
    manifest = tomllib.loads((place.bundle / "bundle.toml").read_text(encoding="utf-8"))
    assert manifest["grade"] == "production"
    assert set(manifest["recognisers"]) == {"ir152", "irse50", "facenet", "mobile_face"}
    assert all(row["licence"] and row["source"] for row in manifest["files"].values())


def test_a_photo_is_protected_at_256_pixels(place: Place) -> None:
    fewer_steps(place, invert_points=2, denoise_points=2)
    photo, out = place.folder / "me.png", place.folder / "protected.png"
    demo_scene(seed=7, size=512).save(photo)
    said = place.diffam(
        "protect", str(photo), "--reference", "xmy_060", "--out", str(out), "--json", DIFFAM_BUNDLE="celebahq-256"
    )
    (face,) = json.loads(said[said.index("{") : said.rindex("}") + 1])["faces"]
    assert {row["name"]: row["role"] for row in face["recognisers"]}["facenet"] == "held_out"
    with Image.open(out) as protected, Image.open(photo) as original:
        assert protected.size == original.size
        assert protected.tobytes() != original.tobytes()


def test_the_bundle_is_measured_by_the_same_command_as_every_other(place: Place) -> None:
    fewer_steps(place, invert_points=2, denoise_points=2, size_px=64)
    cells = place.folder / "cells.json"
    place.diffam("evaluate", "--bundle", "celebahq-256", "--faces", "4", "--method", "diffam", "--json", str(cells))
    rows = json.loads(cells.read_text(encoding="utf-8"))["rows"]
    assert {row["held_out"] for row in rows} == {"facenet"}
    assert all(0 <= row["asr_far_0.01"] <= 1 and row["psnr_db"] > 0 for row in rows)


def test_no_command_needed_more_memory_than_a_laptop_has(place: Place) -> None:
    assert place.bundle.is_dir()
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < LARGEST_PROCESS_BYTES


def fewer_steps(place: Place, invert_points: int, denoise_points: int, size_px: int = 256) -> None:
    """Shorten the walk, and shrink the portraits where their size is not the point; the networks stay whole."""
    path = place.bundle / "bundle.toml"
    manifest = tomllib.loads(path.read_text(encoding="utf-8"))
    manifest["schedule"] |= {"invert_points": invert_points, "denoise_points": denoise_points}
    manifest["portrait"] |= {"size_px": size_px, "view_px": size_px}
    path.write_text(tomli_w.dumps(manifest), encoding="utf-8")
