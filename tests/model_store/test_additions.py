"""What is added to a bundle: what is refused, what is on offer, how it leaves. No weights are read for any of it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from model_store.additions import (
    StyleOrder,
    check_name,
    check_order,
    finished,
    refusals,
    remove_reference,
    sweep_leaving,
    with_additions,
)
from model_store.catalog import BUNDLES, read_catalog
from model_store.errors import (
    HeldOutAttacked,
    NameInvalid,
    ReferenceExists,
    ReferenceShipped,
    StoreError,
    StyleExists,
    UnknownRecogniser,
    UnknownReference,
    UnknownTarget,
)
from tests.model_store.disk import files_of

CATALOG = read_catalog(BUNDLES / "mini")
CARD = """
reference = "{reference}"
target = "bruno"
held_out = "ir152"
surrogates = ["irse50", "mobile_face"]
mode = "lora"
sha256 = "0123"
"""


def put_reference(added: Path, name: str) -> None:
    folder = added / "references" / name
    folder.mkdir(parents=True)
    (folder / "look.png").write_bytes(b"a picture")
    (folder / "reference.toml").write_text(f'title = "{name.title()}"\n', encoding="utf-8")


def put_style(added: Path, reference: str) -> None:
    folder = added / "styles"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{reference}-bruno.safetensors").write_bytes(b"weights")
    (folder / f"{reference}-bruno.toml").write_text(CARD.format(reference=reference), encoding="utf-8")


@pytest.mark.parametrize("name", ["", "Rose", "a-b", "../x", "a" * 41, "a.b"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        check_name(CATALOG, name)


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReferenceExists):
        check_name(CATALOG, "rose")
    put_reference(tmp_path, "dusk")
    with pytest.raises(ReferenceExists):
        check_name(with_additions(CATALOG, tmp_path), "dusk")


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (StyleOrder("nobody", "bruno", "ir152"), UnknownReference),
        (StyleOrder("rose", "nobody", "ir152"), UnknownTarget),
        (StyleOrder("rose", "aurora", "ir152"), StyleExists),
        (StyleOrder("rose", "aurora", "vit"), UnknownRecogniser),
        (StyleOrder("rose", "aurora", "ir152", ("ir152", "facenet")), HeldOutAttacked),
    ],
)
def test_orders_that_make_no_sense_are_refused(order: StyleOrder, error: type[StoreError]) -> None:
    with pytest.raises(error):
        check_order(CATALOG, order)


def test_everything_that_speaks_against_an_order_is_said_at_once_with_its_field() -> None:
    order = StyleOrder("rose", "nobody", "ir152", ("ir152", "vit"))
    assert [(field, error.code) for field, error in refusals(CATALOG, order)] == [
        ("target_id", "unknown_target"), ("surrogates.1", "unknown_recogniser"), ("held_out", "held_out_attacked"),
    ]  # fmt: skip


def test_a_bundle_without_recognisers_says_that_it_trains_nothing_and_why_that_is_no_loss() -> None:
    refining = replace(CATALOG, recognisers=())
    ((field, error),) = refusals(refining, StyleOrder("rose", "aurora", "dlib"))
    assert (field, error.code) == ("held_out", "unknown_recogniser")
    assert "no recognisers to train with; its faces are refined for any target" in str(error)


def test_an_order_without_surrogates_attacks_whoever_may_be_attacked_and_is_not_held_out(tmp_path: Path) -> None:
    put_reference(tmp_path, "dusk")
    catalog = with_additions(CATALOG, tmp_path)
    assert check_order(catalog, StyleOrder("dusk", "bruno", "ir152")).surrogates == ("irse50", "facenet", "mobile_face")
    chosen = StyleOrder("dusk", "bruno", "ir152", ("facenet",), "full", "dodge")
    assert check_order(catalog, chosen) == chosen


def test_a_style_is_on_offer_once_its_card_is_there(tmp_path: Path) -> None:
    put_reference(tmp_path, "dusk")
    assert with_additions(CATALOG, tmp_path).reference("dusk").title == "Dusk"
    put_style(tmp_path, "dusk")
    style = with_additions(CATALOG, tmp_path).style_for("dusk")
    assert (style.target, style.surrogates, style.file.read_bytes()) == ("bruno", ("irse50", "mobile_face"), b"weights")
    assert style.role_of("ir152") == "held_out"
    assert style.role_of("irse50") == "surrogate"


def test_a_reference_that_is_removed_leaves_the_offer_at_once_and_the_disk_once_nobody_wears_it(tmp_path: Path) -> None:
    put_reference(tmp_path, "dusk")
    put_style(tmp_path, "dusk")
    remove_reference(CATALOG, tmp_path, "dusk")
    everything = with_additions(CATALOG, tmp_path)
    assert everything.style_for("dusk", "bruno").target == "bruno"  # for jobs that were accepted before
    with pytest.raises(UnknownReference):
        everything.offer().style_for("dusk", "bruno")
    assert sweep_leaving(tmp_path, lambda: {"dusk"}) == ([], ["dusk"])
    assert everything.reference("dusk").image.is_file()
    assert sweep_leaving(tmp_path, lambda: {"rose"}) == (["dusk"], [])
    assert with_additions(CATALOG, tmp_path) == CATALOG
    assert files_of(tmp_path) == []
    assert sweep_leaving(tmp_path, lambda: pytest.fail("nothing leaves")) == ([], [])


def test_halves_that_a_killed_process_left_are_no_offer_and_are_swept(tmp_path: Path) -> None:
    for name in (".leaving-dusk-ab12cd34", ".draft-0123456789abcdef", ".draft-in-the-making"):
        put_reference(tmp_path, name)
    os.utime(tmp_path / "references/.draft-0123456789abcdef", (1, 1))
    assert with_additions(CATALOG, tmp_path) == CATALOG
    assert sweep_leaving(tmp_path, set) == ([], [])
    assert [path.name for path in (tmp_path / "references").iterdir()] == [".draft-in-the-making"]


@pytest.mark.parametrize(("name", "error"), [("rose", ReferenceShipped), ("nobody", UnknownReference)])
def test_only_references_that_were_added_can_be_removed(tmp_path: Path, name: str, error: type[StoreError]) -> None:
    with pytest.raises(error):
        remove_reference(CATALOG, tmp_path, name)


def test_the_make_up_alone_of_a_bundles_reference_is_found_once_it_was_trained(tmp_path: Path) -> None:
    bare = replace(CATALOG, references=tuple(replace(card, makeup=None) for card in CATALOG.references))
    assert with_additions(bare, tmp_path).reference("rose").makeup is None
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles/rose.toml").write_text('reference = "rose"\nmode = "lora"\n', encoding="utf-8")
    assert with_additions(bare, tmp_path).reference("rose").makeup == tmp_path / "styles/rose.safetensors"
    assert with_additions(CATALOG, tmp_path).reference("rose").makeup == CATALOG.reference("rose").makeup


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
