"""Methods by name: every module here has a `METHOD`. A new one is one file."""

from importlib import import_module
from pkgutil import iter_modules

from evaluation.method import Method

METHODS: dict[str, Method] = {
    module.name: import_module(f"{__name__}.{module.name}").METHOD for module in iter_modules(__path__)
}
