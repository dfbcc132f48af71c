"""Datasets by name: every module here has a `DATASET`. A new one is one file."""

from importlib import import_module
from pkgutil import iter_modules

from evaluation.subjects import Dataset

DATASETS: dict[str, Dataset] = {
    module.name: import_module(f"{__name__}.{module.name}").DATASET for module in iter_modules(__path__)
}
