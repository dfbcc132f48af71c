"""A pytest plugin, `-p tests.durations`: what each test file costs, as a table, dearest first.

CPU seconds, because wall seconds depend on what else the machine does. They count this process and its children,
a child's when it has ended: what a stack cost is found at the file that stopped it.
"""

import os
from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass

import pytest

CPU = "cpu_s"
LISTED = 20


@dataclass
class Cost:
    """Seconds of one file's tests, fixtures included."""

    cpu_s: float = 0
    wall_s: float = 0
    tests: int = 0


def spent_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Clock:
    """Notes in each report how much went by since the one before."""

    def __init__(self) -> None:
        self.before_s = spent_s()
        self.files: dict[str, Cost] = defaultdict(Cost)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """In a worker: the report of a set-up, a call or a tear-down, with its cost."""
        report = yield
        now_s = spent_s()
        report.user_properties = [(CPU, now_s - self.before_s)]
        self.before_s = now_s
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """In the main process too, whoever ran it."""
        file = self.files[report.nodeid.partition("::")[0]]
        file.cpu_s += sum(float(str(value)) for name, value in report.user_properties if name == CPU)
        file.wall_s += report.duration
        file.tests += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table, ready for docs/tests.md."""
        rows = sorted(self.files.items(), key=lambda row: -row[1].cpu_s)
        line = terminalreporter.write_line
        line("\n| file | tests | CPU s | wall s |\n|---|---:|---:|---:|")
        for name, cost in rows[:LISTED]:
            line(f"| `{name.removeprefix('tests/')}` | {cost.tests} | {cost.cpu_s:.0f} | {cost.wall_s:.0f} |")
        rest = [cost for _, cost in rows[LISTED:]]
        if rest:
            cpu_s, wall_s = sum(cost.cpu_s for cost in rest), sum(cost.wall_s for cost in rest)
            line(f"| {len(rest)} more files | {sum(cost.tests for cost in rest)} | {cpu_s:.0f} | {wall_s:.0f} |")


def pytest_configure(config: pytest.Config) -> None:
    """Register the clock, in the main process and in every worker."""
    config.pluginmanager.register(Clock(), "durations")
