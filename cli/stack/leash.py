"""`python -m cli.stack.leash SIGNAL PARENT COMMAND…`: a command that dies with its parent, even a killed one.

Without it a supervisor ended by `kill -9` would leave a server behind that still writes to its data folder. Linux only;
elsewhere the command simply runs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for the signal, then become the command: no process more than without a leash."""
    name, parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.Signals[name].value)
        if os.getppid() != int(parent):  # it died before we asked
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
