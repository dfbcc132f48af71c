"""Looks and styles that are added: what is refused, what is kept, and that a failure changes nothing."""

import io
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.styles import style_weights
from diffam_core.transfer import TransferRecipe
from model_store.additions import (
    StyleOrder,
    check_name,
    check_order,
    finished,
    remove_reference,
    sweep_leaving,
    with_additions,
)
from model_store.bundle import Bundle
from model_store.catalog import BUNDLES, read_catalog
from model_store.errors import (
    BundleDamaged,
    HeldOutAttacked,
    NameInvalid,
    ReferenceExists,
    ReferenceGrey,
    ReferenceShipped,
    ReferenceWithoutMakeup,
    StoreError,
    StyleExists,
    StyleNotTrained,
    UnknownRecogniser,
    UnknownReference,
    UnknownTarget,
)
from model_store.training.new_reference import add_reference
from model_store.training.new_style import train_style

EMBER = BUNDLES / "mini/references/ember"
CATALOG = read_catalog(BUNDLES / "mini")
SHORT = replace(
    TransferRecipe(),
    makeup=replace(TransferRecipe().makeup, steps=3, batch=1),
    attack=replace(TransferRecipe().attack, steps=4, batch=1, views=1),
)
ORDER = StyleOrder("dusk", "bruno", "ir152", ("irse50", "mobile_face"))


@pytest.fixture
def bundle(bundle: Bundle, tmp_path: Path) -> Bundle:
    """The shipped bundle with an empty folder for additions, and a noise predictor of the test's own."""
    models = replace(bundle.models, eps=deepcopy(bundle.models.eps))
    return replace(bundle, models=models, added=tmp_path / "added")


def elsewhere(bundle: Bundle) -> Bundle:
    """The same bundle and folder, as another process has them open."""
    return replace(bundle, models=replace(bundle.models, eps=deepcopy(bundle.models.eps)))


@pytest.fixture
def look() -> bytes:
    return (EMBER / "look.png").read_bytes()


@pytest.fixture
def bare() -> bytes:
    return (EMBER / "bare.png").read_bytes()


def changed(picture: bytes, **change: object) -> bytes:
    """The picture, greyscale or scaled."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    if change.get("grey"):
        image = image.convert("L").convert("RGB")
    if width := change.get("width"):
        image = image.resize((int(str(width)), int(str(width))))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def files_of(folder: Path | None) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) if folder else []


@contextmanager
def full_disk(bytes_left: int) -> Iterator[None]:
    """No file may grow beyond this many bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_look_with_its_bare_twin_is_on_offer_with_its_pictures(bundle: Bundle, look: bytes, bare: bytes) -> None:
    card = add_reference(bundle, "dusk", look, bare, "Dusk", "After the sun.")
    offered = with_additions(bundle.catalog, bundle.added).reference("dusk")
    assert offered == card
    assert (card.title, card.description) == ("Dusk", "After the sun.")
    with Image.open(card.image) as picture:
        assert picture.size == (256, 256)
    names = {"look.png", "bare.png", "lips.png", "eyes.png", "skin.png", "face.png", "reference.toml"}
    assert {path.name for path in card.image.parent.iterdir()} == names


@pytest.mark.parametrize(
    ("change", "error"),
    [({"grey": True}, ReferenceGrey), ({"width": 20}, (NoFaceFound, FaceTooSmall))],
    ids=["greyscale", "20 pixels wide"],
)
def test_a_picture_that_cannot_be_a_look_is_refused_and_leaves_nothing(
    bundle: Bundle, look: bytes, bare: bytes, change: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        add_reference(bundle, "dusk", changed(look, **change), bare)
    assert not files_of(bundle.added)


def test_a_picture_without_a_face_is_refused(bundle: Bundle) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    with pytest.raises(NoFaceFound):
        add_reference(bundle, "dusk", file.getvalue(), None)


def test_a_bare_face_is_refused_as_a_look(bundle: Bundle, bare: bytes) -> None:
    with pytest.raises(ReferenceWithoutMakeup):
        add_reference(bundle, "dusk", bare, bare)
    assert not files_of(bundle.added)


def test_a_look_without_its_twin_gets_one_and_a_bare_face_is_refused(bundle: Bundle, look: bytes, bare: bytes) -> None:
    card = add_reference(bundle, "dawn", look, None)
    with Image.open(card.image.with_name("bare.png")) as twin, Image.open(card.image) as worn:
        assert np.abs(np.asarray(twin).astype(int) - np.asarray(worn)).max() > 20
    with pytest.raises(ReferenceWithoutMakeup):
        add_reference(bundle, "night", bare, None)


def test_a_full_disk_leaves_the_store_as_it_was(bundle: Bundle, look: bytes, bare: bytes) -> None:
    with full_disk(20_000), pytest.raises(OSError, match=r"large|space"):
        add_reference(bundle, "dusk", look, bare)
    assert not files_of(bundle.added)
    add_reference(bundle, "dusk", look, bare)


@pytest.mark.parametrize("name", ["", "Rose", "a-b", "../x", "a" * 41, "a.b"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        check_name(CATALOG, name)


def test_a_taken_name_is_refused(bundle: Bundle, look: bytes, bare: bytes) -> None:
    with pytest.raises(ReferenceExists):
        check_name(CATALOG, "rose")
    add_reference(bundle, "dusk", look, bare)
    with pytest.raises(ReferenceExists):
        add_reference(bundle, "dusk", look, bare)


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (("nobody", "bruno", "ir152"), UnknownReference),
        (("rose", "nobody", "ir152"), UnknownTarget),
        (("rose", "aurora", "ir152"), StyleExists),
        (("rose", "aurora", "vit"), UnknownRecogniser),
        (("rose", "aurora", "ir152", ("ir152", "facenet")), HeldOutAttacked),
    ],
)
def test_orders_that_make_no_sense_are_refused(order: tuple[str, str, str], error: type[StoreError]) -> None:
    with pytest.raises(error):
        check_order(CATALOG, *order)


def test_a_trained_style_is_found_without_opening_the_bundle_again(bundle: Bundle, look: bytes, bare: bytes) -> None:
    trainer, server = bundle, elsewhere(bundle)
    add_reference(trainer, "dusk", look, bare)
    with pytest.raises(StyleNotTrained, match="finetune"):
        server.find_style("dusk", "bruno")
    seen: list[int] = []
    style = train_style(trainer, ORDER, SHORT, photos=4, on_loss=lambda step, _steps, _terms: seen.append(step))
    assert seen == list(range(1, 8))
    assert style.file.stat().st_size < 1_200_000
    found = server.find_style("dusk", "bruno")
    assert found == style
    assert found.role_of("ir152") == "held_out"
    assert found.role_of("irse50") == "surrogate"
    with pytest.raises(StyleExists):
        train_style(trainer, ORDER, SHORT, photos=4)


def test_a_full_disk_while_a_style_is_stored_leaves_no_half_of_it(bundle: Bundle, look: bytes, bare: bytes) -> None:
    add_reference(bundle, "dusk", look, bare)
    before = files_of(bundle.added)
    with full_disk(200_000), pytest.raises(OSError, match=r"large|space"):
        train_style(bundle, ORDER, SHORT, photos=4)
    left = [name for name in files_of(bundle.added) if not name.startswith("training/")]
    assert left == before
    assert not [name for name in files_of(bundle.added) if "partial" in name]


def test_a_style_whose_file_was_altered_is_not_worn(bundle: Bundle, look: bytes, bare: bytes) -> None:
    trainer = elsewhere(bundle)
    add_reference(trainer, "dusk", look, bare)
    style = train_style(trainer, replace(ORDER, target="celia"), SHORT, photos=4)
    data = bytearray(style.file.read_bytes())
    data[-1] ^= 1
    style.file.write_bytes(data)
    with pytest.raises(BundleDamaged, match="dusk-celia"):
        bundle.find_style("dusk", "celia")


def test_a_look_that_is_removed_leaves_the_offer_at_once_and_the_disk_once_nobody_wears_it(
    bundle: Bundle, look: bytes, bare: bytes
) -> None:
    assert bundle.added is not None
    add_reference(bundle, "dusk", look, bare)
    train_style(bundle, ORDER, SHORT, photos=4)
    remove_reference(bundle.catalog, bundle.added, "dusk")
    everything = with_additions(bundle.catalog, bundle.added)
    assert everything.style_for("dusk", "bruno").target == "bruno"  # for jobs that were accepted before
    with pytest.raises(UnknownReference):
        everything.offer().style_for("dusk", "bruno")
    assert sweep_leaving(bundle.added, lambda: {"dusk"}) == ([], ["dusk"])
    assert everything.reference("dusk").image.is_file()
    assert sweep_leaving(bundle.added, lambda: {"rose"}) == (["dusk"], [])
    assert with_additions(bundle.catalog, bundle.added) == bundle.catalog
    assert not [name for name in files_of(bundle.added) if not name.startswith("training/")]
    assert sweep_leaving(bundle.added, lambda: pytest.fail("nothing leaves")) == ([], [])


def test_a_look_added_again_under_its_old_name_wears_its_new_style(bundle: Bundle, look: bytes, bare: bytes) -> None:
    assert bundle.added is not None
    worker = elsewhere(bundle)
    kept = []
    for seed in (0, 1):
        add_reference(bundle, "dusk", look, bare)
        train_style(bundle, ORDER, SHORT, photos=4, seed=seed)
        worker.find_style("dusk", "bruno")
        kept.append(style_weights(worker.models.eps, "dusk-bruno"))
        remove_reference(bundle.catalog, bundle.added, "dusk")
        sweep_leaving(bundle.added, set)
    assert any(not torch.equal(kept[0][key], kept[1][key]) for key in kept[0])


def test_halves_that_a_killed_process_left_are_no_offer_and_are_swept(tmp_path: Path) -> None:
    for name in (".leaving-dusk-ab12cd34", ".draft-0123456789abcdef", ".draft-in-the-making"):
        half = tmp_path / "references" / name
        half.mkdir(parents=True)
        (half / "reference.toml").write_text('title = "Dusk"')
    os.utime(tmp_path / "references/.draft-0123456789abcdef", (1, 1))
    assert with_additions(CATALOG, tmp_path) == CATALOG
    assert sweep_leaving(tmp_path, set) == ([], [])
    assert [path.name for path in (tmp_path / "references").iterdir()] == [".draft-in-the-making"]


@pytest.mark.parametrize(("name", "error"), [("rose", ReferenceShipped), ("nobody", UnknownReference)])
def test_only_looks_that_were_added_can_be_removed(tmp_path: Path, name: str, error: type[StoreError]) -> None:
    with pytest.raises(error):
        remove_reference(CATALOG, tmp_path, name)


def test_the_make_up_alone_of_a_bundles_look_is_found_once_it_was_trained(tmp_path: Path) -> None:
    catalog = read_catalog(BUNDLES / "mini")
    bare = replace(catalog, references=tuple(replace(card, makeup=None) for card in catalog.references))
    assert with_additions(bare, tmp_path).reference("rose").makeup is None
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles/rose.toml").write_text('reference = "rose"\nmode = "lora"\n', encoding="utf-8")
    assert with_additions(bare, tmp_path).reference("rose").makeup == tmp_path / "styles/rose.safetensors"
    assert with_additions(catalog, tmp_path).reference("rose").makeup == catalog.reference("rose").makeup


def test_an_unreadable_addition_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles/broken.toml").write_text("reference = ")
    assert with_additions(CATALOG, tmp_path) == CATALOG


def test_a_file_is_complete_or_not_there(tmp_path: Path) -> None:
    def stop() -> None:
        with finished(tmp_path / "x") as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert not list(tmp_path.iterdir())


LONGER = replace(SHORT, attack=replace(SHORT.attack, steps=12))
"""Its attack has a checkpoint of its own before the second death."""
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from model_store.bundle import open_bundle
from model_store.catalog import BUNDLES
from model_store.training.new_style import train_style
from tests.model_store.test_additions import LONGER, ORDER
bundle = open_bundle(BUNDLES / "mini", added=Path(sys.argv[1]))
deadly = int(sys.argv[2])
def die(step, steps, terms):
    if step == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
train_style(bundle, ORDER, LONGER, photos=4, on_loss=die)
"""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums depend on how they are shared out, in the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_training_killed_at_any_moment_ends_with_the_same_bits(
    bundle: Bundle, tmp_path: Path, look: bytes, bare: bytes
) -> None:
    styles = []
    for name, deaths in (("whole", []), ("killed", [2, 14])):
        here = replace(elsewhere(bundle), added=tmp_path / name)
        add_reference(here, "dusk", look, bare)
        for death in deaths:
            command = [sys.executable, "-c", KILLED, str(here.added), str(death)]
            assert subprocess.run(command, timeout=300, check=False).returncode == -9
        seen: list[int] = []
        style = train_style(here, ORDER, LONGER, photos=4, on_loss=lambda step, *_, seen=seen: seen.append(step))
        assert seen == ([11, 12] if deaths else list(range(1, 16)))  # with the make-up stored, the attack alone counts
        styles.append(style.file.read_bytes())
    assert styles[0] == styles[1]
