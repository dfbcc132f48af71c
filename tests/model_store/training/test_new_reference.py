"""A reference from a picture: what is stored, what is refused, and that a failure changes nothing."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from diffam_core.errors import FaceTooSmall, NoFaceFound
from model_store.additions import with_additions
from model_store.bundle import Bundle
from model_store.catalog import read_manifest
from model_store.errors import (
    ReferenceExists,
    ReferenceGrey,
    ReferenceRegionTooSmall,
    ReferenceWithoutMakeup,
)
from model_store.rendered.captions import prompts
from model_store.rendered.portraits import draw_portraits
from model_store.training.new_reference import add_reference, is_made_up, makeup_shown
from tests.model_store.disk import files_of, full_disk


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


def test_a_reference_with_its_bare_twin_is_on_offer_with_its_pictures(own: Bundle, look: bytes, bare: bytes) -> None:
    card = add_reference(own, "dusk", look, bare, "Dusk", "After the sun.")
    offered = with_additions(own.catalog, own.added).reference("dusk")
    assert offered == card
    assert (card.title, card.description) == ("Dusk", "After the sun.")
    with Image.open(card.image) as picture:
        assert picture.size == (256, 256)
    names = {"look.png", "bare.png", "lips.png", "eyes.png", "skin.png", "face.png", "reference.toml"}
    assert {path.name for path in card.image.parent.iterdir()} == names


def test_a_greyscale_picture_is_refused_and_leaves_nothing(own: Bundle, look: bytes, bare: bytes) -> None:
    with pytest.raises(ReferenceGrey):
        add_reference(own, "dusk", png(opened(look).convert("L")), bare)
    assert not files_of(own.added)


def test_a_picture_of_20_pixels_is_refused_and_leaves_nothing(own: Bundle, look: bytes, bare: bytes) -> None:
    with pytest.raises((NoFaceFound, FaceTooSmall)):
        add_reference(own, "dusk", png(opened(look).resize((20, 20))), bare)
    assert not files_of(own.added)


def test_a_picture_without_a_face_is_refused(own: Bundle) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    with pytest.raises(NoFaceFound):
        add_reference(own, "dusk", png(Image.fromarray(noise)), None)


def test_a_face_whose_mouth_is_hidden_is_refused_with_how_much_of_it_shows(own: Bundle, look: bytes) -> None:
    hidden = np.array(opened(look))
    hidden[150:215, 60:196] = hidden[145, 128]  # skin over the mouth
    with pytest.raises(ReferenceRegionTooSmall, match=r"lips cover 0\.\d% of the face's frame, 0\.4% needed"):
        add_reference(own, "dusk", png(Image.fromarray(hidden)), None)


def test_a_bare_face_is_refused_as_a_reference(own: Bundle, bare: bytes) -> None:
    with pytest.raises(ReferenceWithoutMakeup, match=r"by 0\.0 of 255 levels"):
        add_reference(own, "dusk", bare, bare)
    assert not files_of(own.added)


def test_a_reference_without_its_twin_gets_one_and_a_bare_face_is_refused(
    own: Bundle, look: bytes, bare: bytes
) -> None:
    card = add_reference(own, "dawn", look, None)
    with Image.open(card.image.with_name("bare.png")) as twin, Image.open(card.image) as worn:
        assert np.abs(np.asarray(twin).astype(int) - np.asarray(worn)).max() > 20
    with pytest.raises(ReferenceWithoutMakeup, match="looks bare"):
        add_reference(own, "night", bare, None)


def test_a_bundle_without_removal_asks_for_the_twin(own: Bundle, look: bytes) -> None:
    with pytest.raises(ReferenceWithoutMakeup, match="add the bare twin"):
        add_reference(replace(own, removal=None), "dusk", look, None)


def test_a_full_disk_leaves_the_store_as_it_was(own: Bundle, look: bytes, bare: bytes) -> None:
    with full_disk(20_000), pytest.raises(OSError, match=r"large|space"):
        add_reference(own, "dusk", look, bare)
    assert not files_of(own.added)
    add_reference(own, "dusk", look, bare)


def test_a_name_is_given_once(own: Bundle, look: bytes, bare: bytes) -> None:
    add_reference(own, "dusk", look, bare)
    with pytest.raises(ReferenceExists):
        add_reference(own, "dusk", look, bare)


@torch.inference_mode()
def test_the_bundle_says_how_it_is_asked_who_wears_make_up_and_answers_as_it_always_did(bundle: Bundle) -> None:
    row = read_manifest(bundle.catalog.folder)["clip"]
    assert row["made_up_prompts"] == prompts("face with makeup") == list(bundle.prompts.made_up)
    assert row["bare_prompts"] == prompts("face without makeup") == list(bundle.prompts.bare)
    worn, plain = draw_portraits(12, 501, 64, wearing=1.0), draw_portraits(12, 502, 64)
    assert all(is_made_up(bundle, portrait[None]) for portrait in worn)
    assert not any(is_made_up(bundle, portrait[None]) for portrait in plain)


@torch.inference_mode()
def test_other_prompts_ask_another_question(bundle: Bundle) -> None:
    swapped = replace(bundle.prompts, made_up=bundle.prompts.bare, bare=bundle.prompts.made_up)
    worn = draw_portraits(2, 501, 64, wearing=1.0)
    assert not any(is_made_up(replace(bundle, prompts=swapped), portrait[None]) for portrait in worn)


def test_make_up_is_measured_on_lips_and_eyes_alone() -> None:
    bare, regions = torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, 8, 8)
    regions[:, 0, :4], regions[:, 2] = 1, 1  # lips above, skin everywhere
    everywhere, below = bare + 0.2, bare.clone()
    below[..., 4:, :] = 1
    assert makeup_shown(everywhere, bare, regions) == pytest.approx(0.2 * 127.5)
    assert makeup_shown(below, bare, regions) == 0
