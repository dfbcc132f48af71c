"""A real service behind a key, with a stand-in for its models, for Schemathesis to ask whatever it likes."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cli.stack.stack import running_stack
from diffam_client.contract.limits import Quota
from jobs.access.keys import create_key
from jobs.webhooks.secrets import secret_of
from tests.cli.conftest import STAND_IN, own_settings
from tests.contract.hooks import picture

MANIFEST = """
name = "mini"
grade = "demonstration"
[recognisers.ir152]
[recognisers.vit]
[[references]]
id = "rose"
title = "Rose"
description = "Rose lips"
image = "rose.png"
[[targets]]
id = "aurora"
title = "Aurora"
consent = "virtual"
images = ["aurora.png"]
[[styles]]
reference = "rose"
target = "aurora"
held_out = "ir152"
surrogates = ["vit"]
file = "rose-aurora.safetensors"
"""
PLENTY = Quota(requests_per_minute=10**7, jobs_at_once=10**5, bytes_per_day=10**12)


@dataclass(frozen=True)
class Served:
    """Where the service is, a key that may do everything, and the process of the worker of long jobs."""

    url: str
    key: str
    finetune_pid: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The stack, ready. Its webhooks are signed, and reach nobody."""
    folder = tmp_path_factory.mktemp("contract")
    bundle = folder / "mini"
    bundle.mkdir()
    (bundle / "bundle.toml").write_text(MANIFEST)
    for name in ("rose.png", "aurora.png"):
        (bundle / name).write_bytes(picture(8, "pink", "png"))
    settings = own_settings(folder, folder / "data").model_copy(update={"keys_file": folder / "keys.json"})
    key, secret = create_key(settings.keys, "Schemathesis", ["admin"], PLENTY)
    secret_of(settings.webhooks, key.id)
    with running_stack(settings, print, STAND_IN) as stack:
        stack.wait_until_ready()
        yield Served(stack.url, secret, stack.supervisor.pid("finetune"))
