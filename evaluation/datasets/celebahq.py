"""CelebAMask-HQ, its test side: `docs/datasets.md`."""

from evaluation.folders import pairs_of
from model_store.datasets.celebahq import CELEBAHQ

DATASET = pairs_of(CELEBAHQ)
