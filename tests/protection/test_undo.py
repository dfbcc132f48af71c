"""The undo file alone: bit for bit, or a reason why not."""

import numpy as np
import pytest
from PIL import Image

from diffam_core.images import Alpha, Photo, decode_rgba, encode_photo
from jobs.access.undo_keys import draw_key, public_of
from protection.undo import BLOCK_PX, HEAD_BYTES, KeyRefused, PhotoChanged, UndoError, UndoFileDamaged, restore, seal

KEY = draw_key()


def photos(height: int = 131, width: int = 203) -> tuple[Photo, Photo]:
    """Noise, and the same with two faces made up: one across the edge of the photo, far brighter and far darker."""
    draws = np.random.default_rng(1)
    original = draws.integers(0, 256, (height, width, 3), dtype=np.uint8)
    protected = original.copy()
    for rows, columns in ((slice(3, 41), slice(5, 60)), (slice(90, height), slice(150, width))):
        place = protected[rows, columns]
        place += draws.integers(0, 256, place.shape, dtype=np.uint8)
    return original, protected


def sealed(original: Photo, protected: Photo, alpha: Alpha | None = None) -> bytes:
    return seal(original, protected, alpha, public_of(KEY))


@pytest.mark.parametrize("size", [(131, 203), (128, 160), (64, 64), (67, 211)])
def test_every_pixel_comes_back(size: tuple[int, int]) -> None:
    original, protected = photos(*size)
    assert not np.array_equal(original, protected)
    assert np.array_equal(restore(protected, None, sealed(original, protected), KEY), original)


def test_a_photo_in_which_nothing_changed_comes_back_too() -> None:
    original, _ = photos()
    assert np.array_equal(restore(original, None, sealed(original, original), KEY), original)


def test_it_is_restored_from_whatever_lossless_file_the_pixels_lie_in() -> None:
    original, protected = photos()
    alpha = np.random.default_rng(2).integers(0, 256, original.shape[:2], dtype=np.uint8)
    undo = sealed(original, protected, alpha)
    pixels, opacity = decode_rgba(encode_photo(protected, "png", alpha=alpha))
    assert np.array_equal(restore(pixels, opacity, undo, KEY), original)
    with pytest.raises(PhotoChanged):
        restore(pixels, None, undo, KEY)


def test_it_is_as_small_as_what_changed() -> None:
    original = np.random.default_rng(3).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    protected = original.copy()
    protected[500:520, 400:420] ^= 3
    protected[0, 0] ^= 1
    assert len(sealed(original, protected)) < 3 * 4 * BLOCK_PX * BLOCK_PX


def test_nothing_of_it_can_be_read_without_the_key_and_no_two_files_are_alike() -> None:
    original, protected = photos()
    one, other = sealed(original, protected), sealed(original, protected)
    assert one[: len(b"DiffAM undo\n") + 1] == other[: len(b"DiffAM undo\n") + 1]
    assert not {one[i : i + 16] for i in range(13, len(one) - 16)} & {other[i : i + 16] for i in range(13, len(other))}
    assert b"sha256" not in one
    assert bytes.fromhex(public_of(KEY)) not in one


def test_another_key_is_told_from_a_damaged_file() -> None:
    original, protected = photos()
    undo = sealed(original, protected)
    with pytest.raises(KeyRefused, match="the key is wrong"):
        restore(protected, None, undo, draw_key())
    with pytest.raises(KeyRefused, match="64 hexadecimal digits"):
        restore(protected, None, undo, "secret")
    with pytest.raises(KeyRefused, match="the key is wrong"):
        restore(protected, None, undo, public_of(KEY))
    with pytest.raises(UndoFileDamaged, match="the key is right"):
        restore(protected, None, undo[:-1], KEY)
    with pytest.raises(UndoFileDamaged, match="no undo file"):
        restore(protected, None, b"\x89PNG" + undo, KEY)
    with pytest.raises(UndoFileDamaged, match="version 2"):
        restore(protected, None, undo[:12] + b"\2" + undo[13:], KEY)


def test_a_bit_that_changed_anywhere_in_the_file_is_noticed() -> None:
    original, protected = photos(64, 64)
    undo = sealed(original, protected)
    places = [*range(HEAD_BYTES + 40), *range(HEAD_BYTES + 40, len(undo), 211), len(undo) - 1]
    for place in places:
        changed = bytearray(undo)
        changed[place] ^= 0x10
        with pytest.raises(UndoError):
            restore(protected, None, bytes(changed), KEY)
    for length in (0, 5, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 20, len(undo) // 2):
        with pytest.raises(UndoFileDamaged):
            restore(protected, None, undo[:length], KEY)


def test_a_photo_that_changed_is_told_from_a_wrong_key() -> None:
    original, protected = photos()
    undo = sealed(original, protected)
    touched = protected.copy()
    touched[60, 100, 1] ^= 1
    smaller = np.array(Image.fromarray(protected).resize((100, 60)))
    saved_again = decode_rgba(encode_photo(protected, "jpeg", 95))[0]
    for photo, why in (
        (touched, "its pixels were changed"),
        (saved_again, "its pixels were changed"),
        (smaller, "100 by 60 pixels, .* 203 by 131"),
        (original, "the original pixels already"),
    ):
        with pytest.raises(PhotoChanged, match=why):
            restore(photo, None, undo, KEY)
