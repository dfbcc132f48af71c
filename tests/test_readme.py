"""The README tells what was measured, and points at what exists."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FIGURES = json.loads((ROOT / "docs/measurements/mini.json").read_text())


def test_the_tables_hold_the_measured_figures() -> None:
    for name, row in FIGURES["recognisers"].items():
        assert f"| {name} | {row['tar_at_far_0.01']:.3f} | {row['tar_at_far_0.001']:.3f} |" in README
    assert f"finds {FIGURES['detector']['recall']:.3f} of {FIGURES['detector']['photos']} " in README
    assert f"`{FIGURES['commit']}`" in README


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []
