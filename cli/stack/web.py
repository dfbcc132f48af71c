"""The web process of the embedded stack: `python -m cli.stack.web FD`, serving on a socket the supervisor has bound.

Connections wait in that socket's queue while this process starts or restarts; no port can be lost in between.
"""

import socket
import sys


def main() -> None:
    """Serve until SIGTERM."""
    # Imported here, because each decoder runs the file of the main module once, and needs nothing of this.
    from app.main import create_app
    from app.serving.server import serve
    from jobs.settings import Settings

    serve(Settings(), create_app, socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
