"""The plots of an evaluation's report."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.evaluate import Evaluation
from evaluation.summary import Asked, KnownLine, Line, SearchLine, judges

WORDS: dict[Asked, str] = {"target": "taken for the target", "owner": "owner known"}
"""What shares of people say."""


def plot_held_out(table: Sequence[Line], evaluation: Evaluation) -> Figure:
    """How many are taken for the target, or known where there is none, a bar for each method and recogniser."""
    attacked, unseen = judges(evaluation)
    names = [*attacked, *unseen]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(table)
    for index, line in enumerate(table):
        middle = np.arange(len(names)) + (index - (len(table) - 1) / 2) * width
        shares = [100 * line.shares[name].value for name in names]
        low = [100 * (line.shares[name].value - line.shares[name].ci95[0]) for name in names]
        high = [100 * (line.shares[name].ci95[1] - line.shares[name].value) for name in names]
        errors = np.maximum([low, high], 0)
        axes.bar(middle, shares, width, yerr=errors, label=line.title, error_kw={"elinewidth": 0.8})
    axes.set_xticks(np.arange(len(names)), names)
    title = "By the recogniser that was held out"
    axes.set(ylabel=f"{WORDS[table[0].asked]} (%), FAR 0.01", ylim=(0, 105), title=title)
    axes.legend(fontsize=7, ncols=2)
    return figure


def plot_treatments(table: Sequence[Line]) -> Figure:
    """The same after each treatment, a line per method."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    for line in table:
        if len(line.treatments) > 1:
            axes.plot(
                list(line.treatments),
                [100 * share.value for share in line.treatments.values()],
                marker="o",
                label=line.title,
            )
    axes.set(ylabel=f"{WORDS[table[0].asked]} (%)", ylim=(0, 105), title="After what happens to photos online")
    if axes.lines:  # controls are measured on the finished file alone
        axes.legend(fontsize=7, ncols=2)
    return figure


def plot_quality(table: Sequence[Line]) -> Figure:
    """The same against what it costs, a point per method."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    for line in table:
        if line.kind != "nothing":
            axes.scatter(line.cost.face_ssim, 100 * line.mean.value)
            axes.annotate(
                line.title,
                (line.cost.face_ssim, 100 * line.mean.value),
                fontsize=7,
                xytext=(4, 4),
                textcoords="offset points",
            )
    axes.set(
        xlabel="SSIM of the aligned face",
        ylabel=f"{WORDS[table[0].asked]} (%)",
        ylim=(-5, 105),
        title="Protection and its price",
    )
    return figure


def plot_known(lines: Sequence[KnownLine]) -> Figure:
    """How many owners judges know after each treatment: their mean, a line per method, from the least to the most."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots()
    treatments = list(dict.fromkeys(line.treatment for line in lines))
    for title in dict.fromkeys(line.title for line in lines):
        mine = [line for line in lines if line.title == title]
        places = [treatments.index(line.treatment) for line in mine]
        shares = [[100 * share.value for share in line.shares.values()] for line in mine]
        (drawn,) = axes.plot(places, [np.mean(each) for each in shares], marker="o", label=title)
        low, high = ([end(each) for each in shares] for end in (min, max))
        axes.fill_between(places, low, high, color=drawn.get_color(), alpha=0.12)
    axes.set_xticks(range(len(treatments)), treatments)
    axes.set(ylabel="owner known (%)", ylim=(0, 105), title="By recognisers that people run: mean, least and most")
    axes.legend(fontsize=7, ncols=2)
    return figure


def plot_searches(lines: Sequence[SearchLine]) -> Figure:
    """How many owners a search names: a bar per method, by the states of query and gallery."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _bars(left, lines, "rank_1", "owner comes first (rank 1)")
    _bars(right, lines, "tpir", "and is named (TPIR at FPIR 0.01)")
    left.set(ylabel="searches (%)", ylim=(0, 105))
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", fontsize=7, ncols=4)
    return figure


def _bars(axes: Axes, lines: Sequence[SearchLine], rate: str, title: str) -> None:
    cases = list(dict.fromkeys((line.query, line.gallery) for line in lines))
    titles = list(dict.fromkeys(line.title for line in lines))
    width = 0.8 / max(1, len(titles) - 1)
    for index, name in enumerate(titles):
        mine = [line for line in lines if line.title == name]
        shares = [getattr(line.mean, rate) for line in mine]
        shift = (index - len(titles) / 2) * width if mine[0].method else 0  # what is bare stands alone
        middle = [cases.index((line.query, line.gallery)) + shift for line in mine]
        values = [100 * share.value for share in shares]
        ends = [[100 * abs(share.ci95[end] - share.value) for share in shares] for end in (0, 1)]
        axes.bar(middle, values, width, yerr=ends, label=name, error_kw={"elinewidth": 0.8})
    axes.set_xticks(range(len(cases)), [f"{query}\nin {gallery}" for query, gallery in cases], fontsize=8)
    axes.set_title(title, fontsize=10)
