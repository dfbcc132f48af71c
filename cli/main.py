"""The `diffam` command. Every command imports what it needs when it runs, so that `--help` comes at once."""

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.errors import plain_errors
from cli.mcp.command import mcp
from cli.watch import watch

# Before torch loads, and for the children too. Spinning OpenMP threads that compete for busy cores made small networks
# up to 80 times slower: one photo on a 2-core machine under load, inversion 15.3 s, passive 0.19 s (torch 2.15).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = typer.Typer(
    help="Make-up for face photos that face recognisers cannot see through.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Reference = Annotated[str | None, typer.Option("--reference", help="Make-up look; the first on offer by default.")]
Target = Annotated[str | None, typer.Option("--target", help="Identity to resemble; the look's first by default.")]
Effort = Annotated[
    str, typer.Option(help="quick: make-up alone; thorough: refined on recognisers; else what the models offer.")
]
Survival = Annotated[
    str, typer.Option(help="Measure again after jpeg75,jpeg50,half,blur,screenshot,messenger, or some of them.")
]
Judges = Annotated[
    str, typer.Option(help="Measure also by recognisers of libraries: all that were pulled, none, or dlib,sface.")
]
UndoFile = Annotated[
    Path | None, typer.Option("--undo", help="Write a file here with which `diffam undo` restores the original.")
]
UndoKey = Annotated[str, typer.Option(help="Your key for it, or a file that holds it; else one is drawn.")]


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port to serve on; a free one when it is taken.")] = None,
) -> None:
    """Serve until Ctrl-C: Valkey, worker and web process on this machine."""
    from time import sleep

    from cli.bundles.choosing import choose
    from cli.stack.stack import running_stack, who_may_enter
    from jobs.settings import Settings

    settings = Settings() if port is None else Settings(port=port)
    console = Console()
    with plain_errors(interrupted=0):
        choose(settings)
        with running_stack(settings, console.print) as stack:
            with console.status("starting; loading the models"):
                stack.wait_until_ready()
            console.print(f"Serving on {stack.url} (API: /docs, logs: {stack.logs}). Ctrl-C stops it.", soft_wrap=True)
            console.print(who_may_enter(settings), soft_wrap=True)
            while True:
                stack.supervisor.check()
                sleep(0.5)


@app.command()
def demo(
    photo: Annotated[Path | None, typer.Option(help="Your own photo; a rendered scene by default.")] = None,
    reference: Reference = None,
    target: Target = None,
    out: Annotated[Path, typer.Option(help="Where the pictures go.")] = Path("out/demo"),
) -> None:
    """Start everything, protect a photo over HTTP, show the scores, stop everything."""
    from cli.demo import demo as show
    from jobs.settings import Settings

    with plain_errors():
        show(Console(), Settings(), photo, reference, target, out)


@app.command()
def faces(
    photo: Annotated[Path, typer.Argument(help="A photo.")],
    picture: Annotated[Path | None, typer.Option(help="Write a copy with numbered boxes here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Boxes, landmarks and codes as JSON on stdout.")] = False,
) -> None:
    """Find the faces of a photo, and change nothing: the numbers are those that `protect --faces` takes."""
    from cli.faces import show_faces
    from jobs.settings import Settings

    with plain_errors():
        show_faces(Console(), Settings(), photo, picture, as_json)


@app.command()
def protect(
    photo: Annotated[Path, typer.Argument(help="A photo, or a folder of photos: an album.")],
    reference: Annotated[str, typer.Option(help="Make-up look.")],
    out: Annotated[
        Path, typer.Option(help="Where to write it: .png, .jpg, .webp, .avif or .heic; of an album, a folder.")
    ],
    target: Annotated[
        str, typer.Option(help="Identity to resemble; the look's first, in an album a different one per photo.")
    ] = "",
    which: Annotated[str, typer.Option("--faces", help="all, largest, or numbers from `diffam faces`: 0,2")] = "all",
    skip: Annotated[str, typer.Option(help="Faces to leave out: numbers from `diffam faces`.")] = "",
    eyes: Annotated[str, typer.Option(help="A face that no search finds, by both eyes in pixels: x,y,x,y.")] = "",
    strength: Annotated[str, typer.Option(help="0 (no make-up) to 1, or auto: the least that passes the bar.")] = "1",
    effort: Effort = "",
    regions: Annotated[str, typer.Option(help="Where make-up may go.")] = "lips,eyes,skin",
    survival: Survival = "",
    judges: Judges = "all",
    keep: Annotated[str, typer.Option(help="Of the photo's metadata: credit,copyright,date; all else goes.")] = "",
    candidates: Annotated[str, typer.Option(help="How many pictures to choose from: 1 to 3.")] = "1",
    vary: Annotated[str, typer.Option(help="What candidates differ in: strength or look.")] = "strength",
    file_format: Annotated[
        str, typer.Option("--format", help="Of an album's files: png, jpeg, webp, avif, heic.")
    ] = "png",
    quality: Annotated[str, typer.Option(help="Of jpeg, webp, avif and heic files: 1 to 100.")] = "92",
    undo_file: UndoFile = None,
    undo_key: UndoKey = "",
    server: Annotated[
        str | None, typer.Option(help="Have the service at this URL make the photos, of an album several at once.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Scores, or the report, as JSON on stdout.")] = False,
) -> None:
    """Protect a photo, or every photo of a folder; run again, an album goes on where it was."""
    with plain_errors():
        from cli.undo.sealing import undo_order
        from cli.wishes import format_of, read_wish
        from jobs.settings import Settings

        is_album = photo.is_dir()
        undo = undo_order(undo_file, undo_key, out, is_album)
        wish = read_wish({
            "reference_id": reference, "target_id": target, "faces": which, "strength": strength, "regions": regions,
            "survival": survival, "candidates": candidates, "vary": vary, "judges": judges,
            "effort": effort, "quality": quality, "skip": skip, "eyes": eyes, "keep": keep,
            "output_format": file_format if is_album else format_of(out.suffix),
        })  # fmt: skip
        if is_album:
            from cli.album.protect import AlbumOrder, protect_album

            if not protect_album(Console(), Settings(), AlbumOrder(photo, wish, out, server), as_json):
                raise typer.Exit(1)
        else:
            from cli.protect import PhotoOrder
            from cli.protect import protect as protect_file

            protect_file(Console(), Settings(), PhotoOrder(photo, wish, out, undo, server), as_json)


app.command()(watch)
app.command()(mcp)


@app.command()
def undo(
    photo: Annotated[Path, typer.Argument(help="A protected photo, pixel by pixel as it was made.")],
    undo_file: Annotated[Path, typer.Option("--with", help="The undo file that was made with it.")],
    key: Annotated[str, typer.Option(help="The key, or a file that holds it.")],
    out: Annotated[Path, typer.Option(help="Where to write the original: a .png.")],
) -> None:
    """Restore the original pixels of a protected photo, to the last bit or not at all."""
    from cli.undo.restoring import undo_photo

    with plain_errors():
        undo_photo(Console(), photo, undo_file, key, out)


evaluate_app = typer.Typer(help="Measure protection, or the recognisers that judge it.", invoke_without_command=True)
app.add_typer(evaluate_app, name="evaluate")


@evaluate_app.command("recognisers")
def evaluate_recognisers(
    people: Annotated[
        str, typer.Option(help="A folder of people with two photos or more each, or its name in DIFFAM_PEOPLE_DIR.")
    ],
    judges: Annotated[str, typer.Option(help="Only these: sface,dlib; by default all that were pulled.")] = "",
    most: Annotated[int | None, typer.Option("--faces", min=10, help="Only so many people.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure here.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Judge by the thresholds measured here from now on.")] = False,
) -> None:
    """Measure how well recognisers of libraries tell people apart: accept rates, thresholds, by trait."""
    from cli.evaluation.recognisers import RecogniserOrder
    from cli.evaluation.recognisers import evaluate_recognisers as measure
    from jobs.settings import Settings

    with plain_errors():
        names = tuple(name.strip() for name in judges.split(",") if name.strip()) or None
        measure(Console(), Settings(), RecogniserOrder(people, names, most, json_file, keep))


@evaluate_app.callback()
def evaluate(
    context: typer.Context,
    bundle: Annotated[str, typer.Option(help="The bundle to measure.")] = "mini",
    faces: Annotated[int, typer.Option(min=4, help="How many people.")] = 100,
    seed: Annotated[int, typer.Option(help="Which people.")] = 0,
    dataset: Annotated[
        str, typer.Option(help="Where the photos come from: rendered, celebahq, mt, ladn.")
    ] = "rendered",
    dataset_dir: Annotated[Path | None, typer.Option(help="Where it lies; else DIFFAM_DATASET_DIR.")] = None,
    people: Annotated[
        str | None, typer.Option(help="Instead: a folder of people, two photos each, or its name in DIFFAM_PEOPLE_DIR.")
    ] = None,
    reference: Annotated[list[str] | None, typer.Option(help="Only styles of this look; may be given again.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Only towards this target; may be given again.")] = None,
    held_out: Annotated[list[str] | None, typer.Option(help="Only holding out this one; may be given again.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Only this method; may be given again.")] = None,
    treatment: Annotated[list[str] | None, typer.Option(help="Only after this, and none; may be given again.")] = None,
    identify: Annotated[
        bool, typer.Option("--identify", help="Also search for the owners in a gallery; takes twice as long.")
    ] = False,
    strangers: Annotated[
        str | None, typer.Option(help="People who are in that gallery, too: a folder like that of --people.")
    ] = None,
    noise_eps: Annotated[
        float | None,
        typer.Option(min=0.1, max=255, help="Budget of noise in grey levels; by default that of equal SSIM."),
    ] = None,
    noise_at: Annotated[list[str] | None, typer.Option(help="Noise at equal ssim or psnr; may be given twice.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every cell here.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the HTML report.")] = None,
    verifier: Annotated[
        list[str] | None,
        typer.Option(help="Also SEND PHOTOS to this commercial verifier, facepp or aliyun; may be given again."),
    ] = None,
    verifier_photos: Annotated[int, typer.Option(min=1, help="Of how many people it gets photos.")] = 20,
    send_photos: Annotated[bool, typer.Option("--send-photos", help="Agree to that, without being asked.")] = False,
) -> None:
    """Measure protection against recognisers that were never attacked, beside noise attacks and controls."""
    if context.invoked_subcommand:
        return
    from cli.evaluation.evaluate import EvaluationOrder, equals_of
    from cli.evaluation.evaluate import evaluate as measure
    from cli.evaluation.recognisers import people_folder, strangers_folder
    from cli.evaluation.verifiers import VerifierOrder
    from evaluation.judged.tasks import Selection
    from jobs.settings import Settings

    with plain_errors():
        settings = Settings(bundle=bundle)
        if people is not None:
            dataset, dataset_dir = "people", people_folder(settings, people)
        if dataset_dir is not None:
            settings = settings.model_copy(update={"dataset_dir": dataset_dir})
        verifiers = VerifierOrder(tuple(dict.fromkeys(verifier or ())), verifier_photos, send_photos)
        others = None if strangers is None else strangers_folder(settings, strangers, dataset_dir, identify)
        order = EvaluationOrder(
            dataset, Selection(reference, target, held_out), method, faces, seed, noise_eps, json_file, out, treatment,
            identify, others, verifiers, equals_of(noise_at),
        )  # fmt: skip
        measure(Console(), settings, order)


@app.command()
def doctor(
    bundle: Annotated[str | None, typer.Argument(help="The bundle to run; DIFFAM_BUNDLE by default.")] = None,
) -> None:
    """Say what is installed, what is missing or damaged, and what this machine can run."""
    from cli.doctor import examine
    from jobs.settings import Settings

    with plain_errors():
        settings = Settings() if bundle is None else Settings(bundle=bundle)
        if not examine(Console(), settings):
            raise typer.Exit(1)


GROUPS = {
    "models": ("cli.bundles.models", "Pull, import, build, fine-tune, measure and verify model bundles"),
    "references": ("cli.references", "List make-up looks, add one from a picture, fine-tune its styles"),
    "keys": ("cli.stack.keys", "Say who may use a service: create, list, revoke keys"),
    "jobs": ("cli.stack.jobs", "See the jobs of a service that wait or run, and cancel one"),
    "webhooks": ("cli.stack.webhooks", "Secrets that sign webhooks: show, rotate, remove"),
}
"""Commands of commands: where each is, as `{name}_app`, and what it is for."""


def group(context: typer.Context) -> None:
    """Hand what follows its name over to a group."""
    name = str(context.info_name)
    with plain_errors():
        commands = getattr(import_module(GROUPS[name][0]), f"{name}_app")
        commands(context.args, prog_name=f"diffam {name}")


for _name, (_, _purpose) in GROUPS.items():
    _told = f"{_purpose} (see `diffam {_name} --help`)."
    _passed_on = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(_name, help=_told, context_settings=_passed_on, add_help_option=False)(group)


if __name__ == "__main__":
    app()
