"""Published face datasets by name, read in the layouts in which they are published. Nothing here loads torch."""

from model_store.datasets.celebahq import CELEBAHQ
from model_store.datasets.ladn import LADN
from model_store.datasets.mt import MT
from model_store.datasets.people import PublishedDataset

PUBLISHED: dict[str, PublishedDataset] = {dataset.name: dataset for dataset in (CELEBAHQ, MT, LADN)}
