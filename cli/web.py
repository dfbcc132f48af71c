"""The web process of the embedded stack: `python -m cli.web FD`, serving on a socket that the supervisor has bound.

Connections wait in that socket's queue while this process starts or restarts; no port can be lost in between.
"""

import socket
import sys

import uvicorn

GRACE_S = 3


def main() -> None:
    """Serve until SIGTERM. Addresses of clients are not logged."""
    config = uvicorn.Config(
        "app.main:serve_app", factory=True, access_log=False, log_level="warning", timeout_graceful_shutdown=GRACE_S
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
