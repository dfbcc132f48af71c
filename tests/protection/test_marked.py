"""Who is missed is marked by both eyes, and who is not to be touched is left out."""

import numpy as np
import pytest

from diffam_client.contract.wish import Wish
from diffam_core.errors import EyesMisplaced, FaceUnknown, NoFaceFound, NoFaceLeft
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.images import decode_photo, encode_photo
from model_store.bundle import Bundle
from model_store.rendered.scenes import group_scene
from protection.pipeline import ProtectedPhoto, open_photo, protect_photos
from protection.plan import Chosen, Request, choose_faces

FACE = FoundFace((0, 0, 96, 96), (28.0, 36.0), (68.0, 36.0), Framing((0.5, 0.46), 0.28))


def test_a_face_in_the_dark_that_no_search_finds_is_made_up_where_it_was_marked(bundle: Bundle) -> None:
    photo, (_, hidden) = group_scene(11, 640, 400, faces=2, tilt_deg=10, box_widths=(100, 140))
    left, right = (np.round(eye).astype(float) for eye in (hidden.left_eye, hidden.right_eye))
    x, y = ((left + right) / 2).astype(int)
    reach = round(2.2 * hidden.eye_distance_px)
    shade = photo[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
    shade[:] = shade // 8
    eyes = (*left, *right)
    upload = encode_photo(photo, "png")
    (missed,) = protect_photos(bundle, [Request(upload, Wish(reference_id="rose", faces=(1,)))], lambda *_: None)
    assert isinstance(missed, FaceUnknown)
    wish = Wish(reference_id="rose", target_id="aurora", skip=(0,), eyes=eyes)
    (done,) = protect_photos(bundle, [Request(upload, wish)], lambda *_: None)
    assert isinstance(done, ProtectedPhoto)
    other, marked = done.candidates[0].faces
    assert (other.status, other.code) == ("left_alone", "face_not_chosen")
    assert (marked.status, marked.index) == ("protected", 1)
    assert "face_marked" in marked.notes
    assert marked.landmarks["left_eye"] == tuple(left)
    change = np.abs(decode_photo(done.candidates[0].photo).astype(int) - photo).max(axis=2)
    assert change.any()
    bx, by, w, h = marked.box
    change[max(0, by - h // 2) : by + h + h // 2, max(0, bx - w // 2) : bx + w + w // 2] = 0
    assert not change.any()


@pytest.mark.parametrize(
    ("faces", "marked", "skip", "chosen"),
    [
        ("all", (), (1,), (0, 2)),
        ("all", (2,), (), (0, 1, 2)),
        ("largest", (), (0,), (1,)),
        ("largest", (2,), (), (0, 2)),
        ("largest", (0, 2), (), (0, 1, 2)),
        ((1,), (2,), (), (1, 2)),
        ((1,), (2,), (2,), (1,)),
        ((0, 1), (), (1,), (0,)),
    ],
)
def test_who_is_marked_joins_and_who_is_left_out_leaves(
    faces: str | tuple[int, ...], marked: tuple[int, ...], skip: tuple[int, ...], chosen: tuple[int, ...]
) -> None:
    wish = Wish.model_validate({"reference_id": "rose", "faces": faces})
    assert choose_faces([FACE] * 3, wish.faces, None, marked, skip) == Chosen(chosen)


def test_whoever_is_beyond_the_limit_is_told_of_those_that_were_not_left_out() -> None:
    assert choose_faces([FACE] * 4, "all", 2, (), (0,)) == Chosen((1, 2), (3,))


def test_the_largest_and_the_marked_ones_are_bounded_as_all_others_are() -> None:
    assert choose_faces([FACE] * 5, "largest", 3, (1, 2, 3, 4)) == Chosen((0, 1, 2), (3, 4))
    assert choose_faces([FACE] * 5, "largest", 5, (1, 2, 3, 4)) == Chosen((0, 1, 2, 3, 4))


def test_leaving_out_everybody_or_nobody_is_an_error() -> None:
    with pytest.raises(NoFaceLeft, match="of 2 faces"):
        choose_faces([FACE] * 2, "all", None, (), (0, 1))
    with pytest.raises(FaceUnknown, match="there is no face 2: 2 were found"):
        choose_faces([FACE] * 2, "all", None, (), (2,))
    with pytest.raises(NoFaceFound):
        choose_faces([], "all", None, (), (0,))


@pytest.mark.parametrize("eyes", [(10, 10, 400, 10), (10, 10, 15, 10), (0, 10, 99, 10), (10, 10, 10, 100)])
def test_eyes_that_cannot_be_a_face_are_refused_before_any_search(bundle: Bundle, eyes: tuple[float, ...]) -> None:
    photo = encode_photo(np.zeros((100, 120, 3), np.uint8), "png")
    with pytest.raises(EyesMisplaced, match=f"eyes at {min(eyes[0], eyes[2])},10 and"):
        open_photo(bundle.models, None, Request(photo, Wish(reference_id="rose", eyes=eyes)))
