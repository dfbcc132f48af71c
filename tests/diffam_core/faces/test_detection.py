"""Finding faces in rendered scenes and real photos."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo, decode_photo, to_pixels
from diffam_core.models import Models
from model_store.bundle import open_bundle
from model_store.rendered.people import sample_identities, sample_makeup, sample_nuisance
from model_store.rendered.renderer import FRAMING, Frame, render
from model_store.rendered.scenes import demo_scene, error_of, group_scene, pair

CASCADES = CascadeDetector(FRAMING)
BUNDLE = Path(__file__).parents[3] / "model_store" / "bundles" / "mini"


@pytest.fixture(scope="module")
def models() -> Models:
    return open_bundle(BUNDLE).models


def portraits() -> Iterator[Photo]:
    """One demo scene and 20 portraits, the pictures of find_face.json."""
    yield np.array(demo_scene(seed=0, size=768))
    count, generator = 20, torch.Generator().manual_seed(11)
    people = sample_identities(count, 11) | sample_nuisance(count, generator) | sample_makeup(count, generator, 0.5)
    frame = Frame(*(torch.full((count,), place) for place in (0.5, 0.46, 0.2, 0.0)))
    for picture in render(people, 256, frame, generator).image:
        yield to_pixels(picture)


def test_find_face_returns_what_it_always_did() -> None:
    """Published measurements rest on these places; find_face.json was written before `find_faces` existed."""
    known = json.loads(Path(__file__).with_name("find_face.json").read_text())
    for photo, (box, left_eye, right_eye) in zip(portraits(), known, strict=True):
        face = CASCADES.largest(photo)
        assert face.box == tuple(box)
        assert face.left_eye == pytest.approx(left_eye, abs=0.01)
        assert face.right_eye == pytest.approx(right_eye, abs=0.01)


def test_a_single_upright_face_is_the_same_for_both(models: Models) -> None:
    photo = np.array(demo_scene(seed=0, size=512))
    assert models.detector.all(photo) == [models.detector.largest(photo)]


def test_people_in_a_group_are_found_and_little_else(models: Models) -> None:
    drawn, found, errors = 0, 0, []
    for seed in (1, 2, 3):
        photo, truth = group_scene(seed, 900, 675, faces=4, tilt_deg=35, box_widths=(48, 220))
        faces = models.detector.all(photo)
        pairs = pair(faces, truth)
        drawn, found = drawn + len(truth), found + len(faces)
        errors += [error_of(face, where) for face, where in pairs]
        assert [face.box[2] for face in faces] == sorted((face.box[2] for face in faces), reverse=True)
    assert len(errors) >= 0.9 * drawn
    assert len(errors) >= 0.9 * found
    assert float(np.median(errors)) < 0.1


@pytest.mark.parametrize("degrees", [-35, 25])
def test_a_real_head_that_leans_is_found_with_its_lean(assets: Path, models: Models, degrees: float) -> None:
    photo = decode_photo((assets / "photos" / "astronaut_nasa.png").read_bytes())
    turn = cv2.getRotationMatrix2D((222, 110), -degrees, 1)
    leaning = cv2.warpAffine(photo, turn, photo.shape[:2], borderMode=cv2.BORDER_REFLECT).astype(np.uint8)
    face = models.detector.all(leaning)[0]
    assert face.eye_middle == pytest.approx((224, 103), abs=12)
    assert face.roll_deg == pytest.approx(degrees + 3, abs=10)
    assert face.is_protectable


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("astronaut_nasa.png", 1),
        ("astronaut_gray.jpg", 1),
        ("astronaut_mask_covered.png", 1),
        ("pillow_hopper.jpg", 1),
        ("two_faces.jpg", 2),
        ("astronaut_half_face.png", 1),
        ("tiny80_abraham-lincoln.png", 1),
        ("tiny80_theodore-roosevelt.png", 1),
    ],
)
def test_real_photos_have_as_many_faces_as_people_see(assets: Path, models: Models, name: str, count: int) -> None:
    faces = models.detector.all(decode_photo((assets / "photos" / name).read_bytes()))
    assert len(faces) == count
    assert all(face.is_protectable for face in faces)


def test_a_face_seen_from_the_side_is_reported_and_left_alone(assets: Path, models: Models) -> None:
    photo = decode_photo((assets / "photos" / "camera_cc0_profile_gray.png").read_bytes())
    enlarged = cv2.resize(photo, None, fx=1.7, fy=1.7).astype(np.uint8)
    assert [face.code for face in models.detector.all(enlarged)] == ["face_in_profile"]


def test_a_tiny_face_is_reported_and_the_large_one_beside_it_protected(models: Models) -> None:
    photo = np.full((400, 600, 3), 150, np.uint8)
    photo[:, :400] = np.array(demo_scene(seed=0, size=400))
    far = cv2.resize(np.array(demo_scene(seed=3, size=512)), (64, 64), interpolation=cv2.INTER_AREA)
    photo[100:152, 450:474] = far[10:62, 20:44]
    assert [face.code for face in models.detector.all(photo)] == [None, "face_too_small"]


def test_faces_that_hide_each_other_say_so(models: Models) -> None:
    left, right = (np.array(demo_scene(seed=seed, size=512)) for seed in (0, 1))
    faces = models.detector.all(np.hstack([left[:, :340], right[:, 190:]]))
    assert [(face.code, face.notes) for face in faces] == [(None, ("face_overlaps",))] * 2


def test_a_face_that_the_border_cuts_says_so(models: Models) -> None:
    (face,) = models.detector.all(np.array(demo_scene(seed=0, size=512))[180:])
    assert face.notes == ("face_cut_off",)
    assert face.is_protectable


def test_without_a_check_only_the_surest_face_is_believed(models: Models) -> None:
    left, right = (np.array(demo_scene(seed=seed, size=512)) for seed in (0, 1))
    photo = np.hstack([left[:, :340], right[:, 190:]])
    assert len(models.detector.all(photo)) == 2
    faces = CASCADES.all(photo)
    (face,) = [face for face in faces if face.is_protectable]
    assert face.box == models.detector.largest(photo).box


def test_what_the_check_disbelieves_is_no_face() -> None:
    photo = np.array(demo_scene(seed=0, size=512))

    def doubt(_: Photo, faces: Sequence[FoundFace]) -> list[tuple[float, FoundFace]]:
        return [(0.0, face) for face in faces]

    assert CASCADES.all(photo) == [CASCADES.largest(photo)]
    assert CascadeDetector(FRAMING, doubt).all(photo) == []


def test_threads_find_what_one_alone_finds(models: Models) -> None:
    photos = [np.array(demo_scene(seed=seed, size=320)) for seed in range(4)]
    alone = [models.detector.all(photo) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(models.detector.all, photos)) == alone


def test_the_eyes_of_a_rendered_person_are_found() -> None:
    photo = np.array(demo_scene(seed=0, size=768))
    face = CASCADES.largest(photo)
    assert face.eye_distance_px == pytest.approx(0.17 * 768, rel=0.15)


@pytest.mark.parametrize("name", ["astronaut_nasa.png", "pillow_hopper.jpg", "two_faces.jpg", "astronaut_gray.jpg"])
def test_a_real_face_is_found(assets: Path, name: str) -> None:
    face = CASCADES.largest(decode_photo((assets / "photos" / name).read_bytes()))
    assert face.left_eye[0] < face.right_eye[0]
    assert face.eye_distance_px > 12


def test_dark_skin_is_found_as_light_skin_is() -> None:
    count = 40
    generator = torch.Generator().manual_seed(3)
    people = sample_identities(count, 3) | sample_nuisance(count, generator) | sample_makeup(count, generator, 0.0)
    people |= {"melanin": torch.linspace(0.8, 1.0, count), "yaw": people["yaw"] / 3, "pitch": people["pitch"] / 3}
    frame = Frame(*(torch.full((count,), place) for place in (0.5, FRAMING.eye_middle[1], 0.2, 0.0)))
    found = 0
    for picture in render(people, 256, frame, generator).image:
        with suppress(NoFaceFound):
            found += bool(CASCADES.largest(to_pixels(picture)))
    assert found >= 0.95 * count


def test_a_photo_without_a_face_says_so() -> None:
    grain = np.random.default_rng(1).integers(90, 130, (400, 300, 3), dtype=np.uint8)
    with pytest.raises(NoFaceFound, match="300 x 400"):
        CASCADES.largest(grain)


@pytest.mark.parametrize("shape", [(1, 20000, 3), (20000, 1, 3), (1, 1, 3), (2000, 17, 3)])
def test_a_photo_of_any_shape_may_simply_have_no_face(models: Models, shape: tuple[int, int, int]) -> None:
    assert models.detector.all(np.full(shape, 90, np.uint8)) == []


def test_a_face_of_a_few_pixels_is_refused_with_its_size() -> None:
    scene = demo_scene(seed=0, size=64)
    with pytest.raises((FaceTooSmall, NoFaceFound)):
        CASCADES.largest(np.array(scene))
