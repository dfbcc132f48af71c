"""Finding faces in rendered scenes and real photos."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.faces import find_face
from diffam_core.framing import EYE_MIDDLE
from diffam_core.images import decode_photo, to_pixels
from model_store.miniature.people import sample_identities, sample_makeup, sample_nuisance
from model_store.miniature.renderer import Frame, render
from model_store.miniature.scenes import demo_scene


def test_the_eyes_of_a_rendered_person_are_found() -> None:
    photo = np.array(demo_scene(seed=0, size=768))
    face = find_face(photo)
    assert face.eye_distance_px == pytest.approx(0.17 * 768, rel=0.15)


@pytest.mark.parametrize("name", ["astronaut_nasa.png", "pillow_hopper.jpg", "two_faces.jpg", "astronaut_gray.jpg"])
def test_a_real_face_is_found(assets: Path, name: str) -> None:
    face = find_face(decode_photo((assets / "photos" / name).read_bytes()))
    assert face.left_eye[0] < face.right_eye[0]
    assert face.eye_distance_px > 12


def test_dark_skin_is_found_as_light_skin_is() -> None:
    count = 40
    generator = torch.Generator().manual_seed(3)
    people = sample_identities(count, 3) | sample_nuisance(count, generator) | sample_makeup(count, generator, 0.0)
    people |= {"melanin": torch.linspace(0.8, 1.0, count), "yaw": people["yaw"] / 3, "pitch": people["pitch"] / 3}
    frame = Frame(*(torch.full((count,), place) for place in (0.5, EYE_MIDDLE[1], 0.2, 0.0)))
    found = 0
    for picture in render(people, 256, frame, generator).image:
        with suppress(NoFaceFound):
            found += bool(find_face(to_pixels(picture)))
    assert found >= 0.95 * count


def test_a_photo_without_a_face_says_so() -> None:
    grain = np.random.default_rng(1).integers(90, 130, (400, 300, 3), dtype=np.uint8)
    with pytest.raises(NoFaceFound, match="300 x 400"):
        find_face(grain)


def test_a_face_of_a_few_pixels_is_refused_with_its_size() -> None:
    scene = demo_scene(seed=0, size=64)
    with pytest.raises((FaceTooSmall, NoFaceFound)):
        find_face(np.array(scene))
