"""The bare faces of the LADN dataset, its test side: `docs/datasets.md`."""

from evaluation.folders import pairs_of
from model_store.datasets.ladn import LADN

DATASET = pairs_of(LADN)
