"""Judges that see no face look where it was, and that is told."""

from importlib.resources import files

import numpy as np
import pytest

from diffam_core.images import decode_photo
from evaluation.judged.judging import Bench
from model_store.bundle import Bundle
from model_store.recognisers import Judges
from protection.measuring.judging import sight_of

pytestmark = pytest.mark.xdist_group("shipped")


def test_photos_without_a_face_to_be_seen_are_counted_and_looked_at_where_it_was(
    bundle: Bundle, judges: Judges
) -> None:
    photo = decode_photo(files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes())
    face = bundle.models.detector.largest(photo)
    sight = sight_of(judges, photo, face)
    assert sight is not None
    bench = Bench(judges, [0, 1], [sight.points] * 2, [sight.points] * 2, {})
    hidden = np.full_like(photo, 90)
    for is_other in (False, True):
        found = bench.see([photo, hidden], [face, face], is_other)
        assert found.missed == 1
        assert all(rows.shape[0] == 2 for rows in found.embeddings.values())
    assert bench.see([photo, photo], [face, face]).missed == 0
