"""`.env.example` is the settings' documentation, so it may not drift."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from jobs.settings import Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_the_example_file_names_every_setting_with_its_default() -> None:
    assignments = [line.removeprefix("# ") for line in EXAMPLE.read_text().splitlines() if "DIFFAM_" in line]
    named = {line.partition("=")[0]: line.partition("=")[2].split(" ")[0] for line in assignments}
    expected = {
        f"DIFFAM_{name.upper()}": "" if info.default is None else "[]" if info.default == () else str(info.default)
        for name, info in Settings.model_fields.items()
    }
    assert named == expected


def test_the_example_file_reads_back_as_the_defaults(settings: Settings) -> None:
    example = Settings(_env_file=EXAMPLE, redis_url=settings.redis_url)
    assert example == settings.model_copy(update={"bundle": "auto", "keys_file": None})


def test_settings_never_change_and_never_show_the_address_of_redis(settings: Settings) -> None:
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    assert "redis_url" not in repr(settings)
