"""Before a worker counts as ready, one photo went all the way, if there is a style to wear."""

from dataclasses import replace

import pytest

from model_store.bundle import open_bundle
from model_store.catalog import BUNDLES
from model_store.errors import BundleDamaged
from worker.main import warm_up


def test_a_bundle_that_has_no_style_yet_starts_all_the_same() -> None:
    bundle = open_bundle(BUNDLES / "mini")
    warm_up(replace(bundle, catalog=replace(bundle.catalog, styles=())), replace(bundle.catalog, styles=()))


def test_a_style_that_cannot_be_worn_stops_the_start() -> None:
    bundle = open_bundle(BUNDLES / "mini")
    (style, *_) = bundle.catalog.styles
    broken = replace(style, target="nobody", file=bundle.catalog.folder / "styles/none.safetensors")
    target = replace(bundle.catalog.targets[0], id="nobody")
    catalog = replace(bundle.catalog, styles=(broken,), targets=(target,))
    with pytest.raises(BundleDamaged, match="none"):
        warm_up(replace(bundle, catalog=catalog), catalog)
