"""`diffam evaluate --verifier`: who gets photos and how many, the question whether they may, and what came back."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.errors import CliError
from jobs.settings import Settings

if TYPE_CHECKING:
    from evaluation.commercial.verdicts import Tally
    from evaluation.commercial.verification import Question, Verification
    from evaluation.commercial.verifier import Access
    from evaluation.evaluate import Evaluation
    from evaluation.method import Method
    from model_store.bundle import Bundle

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class VerifierOrder:
    """Which verifiers to ask, about how many people's photos, and whether somebody has agreed already."""

    names: tuple[str, ...] = ()
    photos: int = 20
    is_agreed: bool = False


@dataclass(frozen=True)
class _Subscription:
    url: str
    key: SecretStr | None
    secret: SecretStr | None
    per_second: float
    variables: str


def _subscriptions(settings: Settings) -> dict[str, _Subscription]:
    return {
        "facepp": _Subscription(
            settings.facepp_url, settings.facepp_api_key, settings.facepp_api_secret, settings.facepp_per_second,
            "DIFFAM_FACEPP_API_KEY and DIFFAM_FACEPP_API_SECRET",
        ),
        "aliyun": _Subscription(
            settings.aliyun_url, settings.aliyun_access_key_id, settings.aliyun_access_key_secret,
            settings.aliyun_per_second, "DIFFAM_ALIYUN_ACCESS_KEY_ID and DIFFAM_ALIYUN_ACCESS_KEY_SECRET",
        ),
    }  # fmt: skip


def _access(settings: Settings, name: str) -> "Access":
    """Raise CliError for a verifier without a key, or one that would be sent it in the clear."""
    from evaluation.commercial.verifier import Access

    known = _subscriptions(settings)
    if name not in known:
        raise CliError(f"no verifier {name!r}; there are: {', '.join(known)}")
    mine = known[name]
    if not mine.key or not mine.secret:
        raise CliError(f"to ask {name}, set {mine.variables}")
    try:
        url = httpx.URL(mine.url)
    except httpx.InvalidURL as error:
        raise CliError(f"{mine.url!r} is no address of {name}: {error}") from None
    if not url.host or (url.scheme != "https" and url.host not in LOOPBACK):
        raise CliError(f"{mine.url!r} is no address of {name}: keys and photos are sent by https only")
    return Access(mine.url, mine.key.get_secret_value(), mine.secret.get_secret_value())


def check(settings: Settings, order: VerifierOrder) -> None:
    """Raise CliError unless every verifier of the order can be asked, before anything slow begins."""
    for name in order.names:
        _access(settings, name)


def agree(
    console: Console, settings: Settings, order: VerifierOrder, questions: Sequence["Question"], people: int
) -> None:
    """Say what would be sent to whom, and ask. Raises CliError without consent."""
    from evaluation.verifiers import VERIFIERS

    if not order.names:
        return
    comparisons = len(questions) * min(order.photos, people)
    lines = []
    for name in order.names:
        host, pace = httpx.URL(_access(settings, name).url).host, _subscriptions(settings)[name].per_second
        lines.append(
            f"  {VERIFIERS[name].title} ({VERIFIERS[name].operator}; {host}): up to {comparisons} comparisons of two "
            f"pictures, at most {pace:g} a second, {comparisons / pace / 60:.1f} minutes or more"
        )
    console.print("Photos will leave this machine.", style="bold yellow")
    console.print("\n".join(lines), soft_wrap=True, highlight=False)
    console.print(
        "Sent are finished photos, other photos of the same people, and the targets' test pictures. Send only pictures "
        "of people who agreed to that; the services' terms and prices apply, see docs/verifiers.md."
    )
    if not order.is_agreed and not _says_yes(console):
        raise CliError("nothing was sent")


def _says_yes(console: Console) -> bool:
    if not sys.stdin.isatty():
        raise CliError("nothing was sent: agree with --send-photos, or answer at a terminal")
    try:
        return console.input("Send them? [y/N] ", markup=False).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def ask(
    settings: Settings,
    order: VerifierOrder,
    bundle: "Bundle",
    evaluation: "Evaluation",
    questions: Sequence["Question"],
) -> "Verification | None":
    """What the verifiers say of the files that the evaluation kept; None when none is to be asked."""
    from evaluation.commercial.verification import verify
    from evaluation.commercial.verifier import TIMEOUT, RemoteVerifier, Verifier
    from evaluation.verifiers import VERIFIERS

    if not order.names:
        return None
    total = len(questions) * min(order.photos, len(evaluation.subjects.photos))
    columns = (TextColumn("{task.description:<15}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with httpx.Client(timeout=TIMEOUT) as client, Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {name: progress.add_task(name, total=total) for name in order.names}
        verifiers: dict[str, Verifier] = {
            name: RemoteVerifier(
                VERIFIERS[name], _access(settings, name), client, _subscriptions(settings)[name].per_second
            )
            for name in order.names
        }
        return verify(bundle, evaluation, questions, verifiers, lambda name: progress.advance(bars[name]))


def print_verdicts(console: Console, verification: "Verification | None", methods: dict[str, "Method"]) -> None:
    """A line per verifier, method, variant and target. Raises the error that ended a verifier's answers early."""
    from evaluation.commercial.verdicts import verdicts

    if verification is None:
        return
    table = Table(
        "verifier", "method", "made for", "target", "sure of target", "taken for it, %", "sure of owner",
        "owner known, %", "no face", title="Commercial verifiers: confidence, and matches at their own 1e-3 threshold",
    )  # fmt: skip
    for row in verdicts(verification):
        cells = [cell for said in (row.of_target, row.of_owner) for cell in _cells(said)]
        no_face = row.of_target.no_face + row.of_owner.no_face
        table.add_row(row.verifier, methods[row.method].title, row.variant or "-", row.target, *cells, str(no_face))
    console.print(table)
    for error in verification.stopped.values():
        raise error


def _cells(said: "Tally") -> tuple[str, str]:
    if said.match is None:
        return "-", "-"
    share, (low, high) = said.match
    return f"{said.confidence:.1f}", f"{100 * share:.0f} ({100 * low:.0f}-{100 * high:.0f})"
