"""Post a photo on Bluesky, protected. If it cannot be protected, nothing is posted.

    python post.py me.jpg "At the lake" --alt "I sit on a pier, laughing"

BLUESKY_HANDLE and BLUESKY_APP_PASSWORD (Settings, Privacy and security, App passwords) say as whom, and BLUESKY_URL on
which server, if not on bsky.social; DIFFAM_SERVER and DIFFAM_API_KEY which service protects. Needs httpx and Pillow.

A photo of a post may have 2,000,000 bytes. A larger one is written anew, as a JPEG of less quality and at last of fewer
pixels, until it fits. Its verdict was measured before: what JPEG 75 and half the size leave of protection stands in
docs/survival.md. Bluesky shows smaller copies of every photo anyway.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import httpx
from PIL import Image

from diffam_client import Client, ClientError, Protected

MAX_BYTES = 2_000_000  # of app.bsky.embed.images, since April 2026
QUALITIES, SMALLER = (90, 80, 70), 0.8


def read_arguments() -> Namespace:
    """What to post, and how."""
    parser = ArgumentParser(description="Post a photo on Bluesky, protected.")
    parser.add_argument("photo")
    parser.add_argument("text", help="up to 300 characters; links and names in it stay plain text")
    parser.add_argument("--look", default="everyday")
    parser.add_argument("--alt", default="", help="what is to be seen, for those who do not see it")
    return parser.parse_args()


def protect(photo: str, look: str) -> Protected:
    """The protected photo, of which the service keeps nothing. Raises ClientError, OSError."""
    with Client() as service:
        protected = service.protect(photo, reference=look)
        service.erase(protected.job)
    return protected


def fitted(photo: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """The photo as it is where it fits, else as a JPEG that does."""
    if len(photo) <= max_bytes:
        return photo
    with Image.open(BytesIO(photo)) as opened:
        picture, told = opened.convert("RGB"), opened.info.get("xmp", b"")  # that it was made up with a model
    while True:
        for quality in QUALITIES:
            file = BytesIO()
            picture.save(file, "JPEG", quality=quality, xmp=told)
            if file.tell() <= max_bytes:
                return file.getvalue()
        width, height = (max(1, round(SMALLER * side)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)


def post(server: httpx.Client, login: dict[str, str], photo: bytes, asked: Namespace) -> str:
    """The address of the post. Raises httpx.HTTPError: the server is silent, or says no."""
    session = call(server, "com.atproto.server.createSession", json=login)
    server.headers["Authorization"] = f"Bearer {session['accessJwt']}"
    with Image.open(BytesIO(photo)) as opened:
        media_type, (width, height) = Image.MIME[str(opened.format)], opened.size
    uploaded = call(server, "com.atproto.repo.uploadBlob", content=photo, headers={"Content-Type": media_type})
    image = {"image": uploaded["blob"], "alt": asked.alt, "aspectRatio": {"width": width, "height": height}}
    record = {
        "$type": "app.bsky.feed.post",
        "text": asked.text,
        "createdAt": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "embed": {"$type": "app.bsky.embed.images", "images": [image]},
    }
    told = {"repo": session["did"], "collection": "app.bsky.feed.post", "record": record}
    return str(call(server, "com.atproto.repo.createRecord", json=told)["uri"])


def call(server: httpx.Client, method: str, **sent: Any) -> Any:
    """What the server answers. Raises httpx.HTTPError, with the server's own words where it gave some."""
    answer = server.post(f"/xrpc/{method}", **sent)
    if answer.is_success:
        return answer.json()
    raise httpx.HTTPStatusError(f"{method}: {answer.text[:500]}", request=answer.request, response=answer)


def main() -> None:
    """Only what `protect` returned is ever handed to the server."""
    asked = read_arguments()
    try:
        login = {"identifier": os.environ["BLUESKY_HANDLE"], "password": os.environ["BLUESKY_APP_PASSWORD"]}
        protected = protect(asked.photo, asked.look)
        for face in protected.faces:
            print(face.verdict.sentence if face.status == "protected" else f"A face is as it was: {face.reason}")
        photo = fitted(protected.photo)
        if photo != protected.photo:
            print(f"Measured before it was written anew: {len(protected.photo):,} bytes, now {len(photo):,}.")
        with httpx.Client(base_url=os.environ.get("BLUESKY_URL", "https://bsky.social"), timeout=60) as server:
            print(post(server, login, photo, asked))
    except KeyError as missing:
        sys.exit(f"Not posted: {missing} is not set")
    except (ClientError, httpx.HTTPError, OSError) as error:
        sys.exit(f"Not posted: {error}")


if __name__ == "__main__":
    main()
