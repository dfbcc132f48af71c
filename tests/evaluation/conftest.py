"""A few rendered strangers."""

import pytest

from evaluation.datasets import DATASETS
from evaluation.subjects import Subjects, gather_subjects
from model_store.bundle import Bundle


@pytest.fixture(scope="session")
def subjects(bundle: Bundle) -> Subjects:
    """Four people with two photos each."""
    return gather_subjects(bundle.models, DATASETS["rendered"], 4, 5, lambda _name, _done, _total: None)
