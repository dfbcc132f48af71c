"""What this machine sees on a photo of the album, before and after: the faces, for the recognisers, and a thumbnail."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from app.photo.canonical import PhotoRejected, canonical_photo
from cli.album.folder import read_file
from cli.errors import FileUnreadable
from cli.make import limits_of
from diffam_core.images import Photo, decode_photo
from jobs.settings import Settings
from model_store.bundle import Bundle
from protection.measuring.linkability import Embeddings, KnownFace, know_again, know_faces

THUMB_PX = 240


@dataclass(frozen=True, eq=False)
class Sight:
    """An original: its file's digest, the faces that can be protected, a JPEG thumbnail; nothing if it is refused."""

    sha256: str
    faces: list[KnownFace]
    thumb: bytes | None


def look_at(bundle: Bundle, settings: Settings, path: Path) -> Sight:
    """The original at `path`. One that cannot be read shows nobody here; making it will say why."""
    with suppress(FileUnreadable):
        upload = read_file(path)
        sha256 = hashlib.sha256(upload).hexdigest()
        with suppress(PhotoRejected):
            photo = decode_photo(canonical_photo(upload, limits_of(settings)).png)
            return Sight(sha256, know_faces(bundle, photo), thumbnail(photo))
        return Sight(sha256, [], None)
    return Sight("", [], None)


def look_again(bundle: Bundle, path: Path, known: Sequence[KnownFace]) -> tuple[list[Embeddings], bytes]:
    """The known faces as they are in the finished file at `path`, and its thumbnail."""
    photo = decode_photo(path.read_bytes())
    return know_again(bundle, photo, known), thumbnail(photo)


def thumbnail(photo: Photo) -> bytes:
    """A small JPEG."""
    image = Image.fromarray(photo)
    image.thumbnail((THUMB_PX, THUMB_PX))
    file = BytesIO()
    image.save(file, "JPEG", quality=82)
    return file.getvalue()
