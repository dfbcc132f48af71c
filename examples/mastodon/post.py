"""Post a photo on Mastodon, protected. If it cannot be protected, nothing is posted.

    python post.py me.jpg "At the lake" --description "I sit on a pier, laughing" --focus 0.1 0.4

MASTODON_URL and MASTODON_TOKEN say where, and as whom (Settings, Development, a new application with `write:media` and
`write:statuses`); DIFFAM_SERVER and DIFFAM_API_KEY which service protects. Needs `pip install Mastodon.py`.

No script is needed where the service stands in front of the instance: then any client does this (docs/mastodon.md).
"""

import os
import sys
import time
from argparse import ArgumentParser, Namespace

from mastodon import Mastodon, MastodonError

from diffam_client import Client, ClientError, Protected


def read_arguments() -> Namespace:
    """What to post, and how."""
    parser = ArgumentParser(description="Post a photo on Mastodon, protected.")
    parser.add_argument("photo")
    parser.add_argument("text")
    parser.add_argument("--look", default="everyday")
    parser.add_argument("--description", help="what is to be seen, for those who do not see it")
    parser.add_argument("--focus", nargs=2, type=float, metavar=("X", "Y"), help="-1 to 1; what previews show")
    parser.add_argument("--visibility", choices=("public", "unlisted", "private", "direct"))
    return parser.parse_args()


def protect(photo: str, look: str) -> Protected:
    """The protected photo, of which the service keeps nothing. Raises ClientError, OSError."""
    with Client() as service:
        protected = service.protect(photo, reference=look)
        service.erase(protected.job)
    return protected


def post(instance: Mastodon, protected: Protected, asked: Namespace) -> str:
    """Where it was posted. It has the size of the original, so description and focus fit as they are."""
    focus = (asked.focus[0], asked.focus[1]) if asked.focus else None
    media = instance.media_post(protected.photo, protected.media_type, description=asked.description, focus=focus)
    while media.url is None:  # the instance is still at it
        time.sleep(1)
        media = instance.media(media)
    status = instance.status_post(asked.text, media_ids=[media], visibility=asked.visibility)
    return str(status.url or status.id)


def main() -> None:
    """Only what `protect` returned is ever handed to the instance."""
    asked = read_arguments()
    try:
        instance = Mastodon(access_token=os.environ["MASTODON_TOKEN"], api_base_url=os.environ["MASTODON_URL"])
        protected = protect(asked.photo, asked.look)
        for face in protected.faces:
            print(face.verdict.sentence if face.status == "protected" else f"A face is as it was: {face.reason}")
        print(post(instance, protected, asked))
    except KeyError as missing:
        sys.exit(f"Not posted: {missing} is not set")
    except (ClientError, MastodonError, OSError) as error:
        sys.exit(f"Not posted: {error}")


if __name__ == "__main__":
    main()
