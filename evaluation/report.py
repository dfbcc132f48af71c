"""An evaluation as files: JSON with a row per cell, plots, a contact sheet, and one HTML page that shows it all."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, select_autoescape
from PIL import Image, ImageDraw

from diffam_core.faces.face import cut_portrait
from diffam_core.images import Photo, to_pixels
from diffam_core.score import rate
from evaluation.cells import Json, as_match, as_row
from evaluation.commercial.verdicts import as_json, plot_verdicts, verdicts
from evaluation.commercial.verification import Verification
from evaluation.evaluate import Evaluation
from evaluation.method import Method
from evaluation.plots import WORDS, plot_held_out, plot_known, plot_quality, plot_searches, plot_treatments
from evaluation.running.outcomes import SHEET_FACES, outcome_key
from evaluation.subjects import Subjects
from evaluation.summary import gain, gains, judges, known_lines, missed_faces, search_lines, summary
from evaluation.traits import Traits, groups_of
from evaluation.treatments import TREATMENTS
from protection.batch import Face

CELL_PX = 192


@dataclass(frozen=True)
class Facts:
    """What was measured, where and when. strangers: whose folder is in the gallery besides.  traits: of people, by id;
    they are not written."""

    bundle: str
    grade: str
    dataset: str
    faces: int
    seed: int
    not_found: int
    fid_features: str
    detector: str
    commit: str
    machine: str
    measured_at: str
    strangers: str | None = None
    traits: Traits = field(default_factory=dict, repr=False)


def write_json(
    path: Path,
    evaluation: Evaluation,
    methods: dict[str, Method],
    facts: Facts,
    verification: Verification | None = None,
) -> None:
    """`facts` of the run, the summary, `rows`, and `matches` with every recogniser, surrogates included.

    `judges` says how many owners recognisers of libraries know, `identification` whom searches find, and `verifiers`
    what commercial verifiers said, where they were asked.
    """
    table = summary(evaluation, methods)
    lead = gain(table)
    told = {name: value for name, value in asdict(facts).items() if name != "traits"}
    whole: Json = {
        **told, "own_match_against": evaluation.subjects.own_match_against, "gain": lead and asdict(lead),
        "gains": [asdict(each) for each in gains(table)],
        "summary": [line.as_json() for line in table], "rows": [as_row(cell) for cell in evaluation.held_out],
        "matches": [as_match(cell) for cell in evaluation.cells],
        "judges": [opinion.as_json() for opinion in evaluation.known],
        "groups": [group.as_json() for group in groups_of(evaluation, methods, facts.traits)],
        "identification": [row for search in evaluation.searches for row in search.as_json()],
    }  # fmt: skip
    if verification is not None:
        whole["verifiers"] = as_json(verification)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = json.dumps(_rounded(whole), separators=(",", ":")).replace('{"method"', '\n{"method"')
    path.write_text(lines + "\n", encoding="utf-8")


def _rounded(value: object) -> object:
    """Floats to four places, inside lists and dicts too."""
    match value:
        case float():
            return round(value, 4)
        case list() | tuple():
            return [_rounded(item) for item in value]
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case _:
            return value


def write_report(
    folder: Path,
    evaluation: Evaluation,
    methods: dict[str, Method],
    facts: Facts,
    verification: Verification | None = None,
) -> Path:
    """Plots, contact sheet and `index.html` in `folder`; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    table = summary(evaluation, methods)
    mpl.rcParams["svg.hashsalt"] = "diffam"
    plot_held_out(table, evaluation).savefig(folder / "held_out.svg")
    plot_treatments(table).savefig(folder / "treatments.svg")
    plot_quality(table).savefig(folder / "quality.svg")
    contact_sheet(evaluation, methods).save(folder / "sheet.jpg", quality=90)
    knows, found = known_lines(evaluation, methods), search_lines(evaluation, methods)
    if knows:
        plot_known(knows).savefig(folder / "judges.svg")
    if found:
        plot_searches(found).savefig(folder / "identification.svg")
    said = verdicts(verification) if verification else []
    if said:
        plot_verdicts(said, methods).savefig(folder / "verifiers.svg")
    environment = Environment(loader=PackageLoader("evaluation"), autoescape=select_autoescape())
    attacked, unseen = judges(evaluation)
    page = environment.get_template("report.html.j2").render(
        facts=facts, table=table, gains=gains(table), words=WORDS[table[0].asked], attacked=attacked, unseen=unseen,
        treatments={name: TREATMENTS[name] for name in max((line.treatments for line in table), key=len)},
        knows=knows, missed=missed_faces(evaluation), found=found, searches=evaluation.searches,
        groups=groups_of(evaluation, methods, facts.traits), judged=len(evaluation.known) and evaluation.known[0].n,
        against=evaluation.subjects.own_match_against,
        cells=[cell for cell in evaluation.cells if cell.method == "diffam" and cell.treatment == "clean"], rate=rate,
        verdicts=said, stopped=verification.stopped if verification else {},
        titles={name: method.title for name, method in methods.items()},
    )  # fmt: skip
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def contact_sheet(evaluation: Evaluation, methods: dict[str, Method]) -> Image.Image:
    """Every reference, target and method on the same people; of recognisers that were held out in turn, the first."""
    columns, shown = {"original": evaluation.subjects.photos}, set[tuple[str, str, str | None]]()
    for cell in evaluation.cells:
        name, key, task = cell.method, outcome_key(methods[cell.method], cell.task), cell.task
        title, place = f"{name}\n{key}", (name, task.reference, task.target)
        if methods[name].kind != "nothing" and place not in shown:
            columns.setdefault(title, evaluation.outcomes[name, key].shown)
            shown.add(place)
    return draw_sheet(evaluation.subjects, columns)


def draw_sheet(subjects: Subjects, columns: dict[str, list[Photo]]) -> Image.Image:
    """People in rows, darkest last; a column of photos under each title, cut to the face."""
    count = min(SHEET_FACES, *(len(photos) for photos in columns.values()))
    rows = sorted(range(count), key=lambda row: -_brightness(subjects.faces[row]))
    sheet = Image.new("RGB", (CELL_PX * len(columns), CELL_PX * count + 30), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (title, photos) in enumerate(columns.items()):
        pen.multiline_text((column * CELL_PX + 4, 2), title, fill="black")
        for line, row in enumerate(rows):
            view = cut_portrait(photos[row], subjects.found[row], CELL_PX)[0]
            sheet.paste(Image.fromarray(to_pixels(view)), (column * CELL_PX, 30 + line * CELL_PX))
    return sheet


def _brightness(face: Face) -> float:
    portrait = cut_portrait(face.photo, face.found, face.mask.shape[-1]).to(face.mask.device)
    return float((portrait * face.mask).sum() / face.mask.sum().clamp(min=1))
