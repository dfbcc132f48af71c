"""`python -m app`: the web process of a container."""

import sys


def main() -> None:
    """Serve until SIGTERM."""
    # Imported here, because each decoder runs the file of the main module once, and needs nothing of this.
    from app.main import create_app
    from app.serving.door import DoorOpen
    from app.serving.server import serve
    from jobs.settings import Settings

    try:
        serve(Settings(), create_app)
    except DoorOpen as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
