"""`python -m app`: the web process of a container."""


def main() -> None:
    """Serve until SIGTERM."""
    # Imported here, because each decoder runs the file of the main module once, and needs nothing of this.
    from app.server import serve
    from jobs.settings import Settings

    serve(Settings())


if __name__ == "__main__":
    main()
