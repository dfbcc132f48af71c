"""The bare faces of the MT dataset, its test side: `docs/datasets.md`."""

from evaluation.folders import pairs_of
from model_store.datasets.mt import MT

DATASET = pairs_of(MT)
