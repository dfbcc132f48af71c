"""Commercial verifiers by name: every module here has a `VERIFIER`. A new one is one file.

Nothing here is asked unless an operator names it, brings a key, and agrees that photos leave the machine.
"""

from importlib import import_module
from pkgutil import iter_modules

from evaluation.commercial.verifier import Service

VERIFIERS: dict[str, Service] = {
    module.name: import_module(f"{__name__}.{module.name}").VERIFIER for module in iter_modules(__path__)
}
