"""Pasting changes back: in strips, of several faces, into a given array."""

import tracemalloc

import numpy as np
import pytest
import torch

from diffam_core.faces import paste
from diffam_core.faces.face import FACE_CODES, FACE_NOTES, FoundFace, cut_portrait
from diffam_core.faces.paste import paste_change, paste_changes
from diffam_core.images import Photo
from model_store.rendered.renderer import FRAMING


def _face(x: float, y: float, distance: float, roll: float = 0.0) -> FoundFace:
    half = np.array([np.cos(roll), np.sin(roll)]) * distance / 2
    return FoundFace((0, 0, 1, 1), (x - half[0], y - half[1]), (x + half[0], y + half[1]), FRAMING)


def _noise(height: int, width: int) -> Photo:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _change(seed: int, size: int) -> torch.Tensor:
    place = torch.linspace(-1, 1, size)
    fade = (1 - place[:, None] ** 2 - place[None, :] ** 2).clamp(min=0)
    return 0.4 * fade * torch.randn(3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(8))
def test_strips_give_the_bytes_of_one_piece(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = np.random.default_rng(seed)
    photo = _noise(500, 600)
    face = _face(chance.uniform(0, 600), chance.uniform(0, 500), chance.uniform(20, 150), chance.uniform(-0.6, 0.6))
    change = _change(seed, 256)
    whole, portrait = paste_change(photo, face, change), cut_portrait(photo, face, 64)
    monkeypatch.setattr(paste, "STRIP_PX", 3000)
    assert np.array_equal(paste_change(photo, face, change), whole)
    assert torch.equal(cut_portrait(photo, face, 64), portrait)


def test_pasting_on_a_large_photo_needs_little_memory() -> None:
    photo = _noise(3000, 4000)
    face, change = _face(2000, 1400, 800), _change(0, 1024)
    tracemalloc.start()
    paste_change(photo, face, change, out=photo)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60e6


def test_a_change_can_be_written_into_the_photo_itself() -> None:
    photo = _noise(200, 300)
    face, change = _face(150, 90, 40), _change(0, 64)
    copy = paste_change(photo, face, change)
    assert not np.array_equal(copy, photo)
    assert paste_change(photo, face, change, out=photo) is photo
    assert np.array_equal(photo, copy)


def test_faces_apart_get_the_changes_they_get_alone() -> None:
    photo = _noise(200, 500)
    changes = [(_face(100, 90, 30), _change(0, 64)), (_face(390, 90, 40), _change(1, 64))]
    one_by_one = paste_change(paste_change(photo, *changes[0]), *changes[1])
    assert np.array_equal(paste_changes(photo, changes), one_by_one)


def test_where_changes_meet_nothing_is_doubled() -> None:
    photo = np.full((200, 300, 3), 100, np.uint8)
    changes = [(_face(130, 90, 40), torch.full((3, 64, 64), 0.2)), (_face(170, 90, 40), torch.full((3, 64, 64), 0.2))]
    added = paste_changes(photo, changes).astype(int) - photo
    assert added.max() == round(0.2 * 127.5)
    assert added[90, 150].tolist() == [round(0.2 * 127.5)] * 3


def test_the_order_of_faces_that_meet_does_not_matter() -> None:
    photo = _noise(200, 300)
    changes = [(_face(120 + 25 * i, 90 + 5 * i, 40), _change(i, 64)) for i in range(3)]
    difference = paste_changes(photo, changes).astype(int) - paste_changes(photo, changes[::-1])
    assert np.abs(difference).max() <= 1


def test_codes_and_notes_have_sentences() -> None:
    for sentence in (FACE_CODES | FACE_NOTES).values():
        assert sentence.endswith(".")
    assert not FoundFace((0, 0, 1, 1), (0.0, 0.0), (20.0, 0.0), FRAMING, code="face_too_small").is_protectable
