"""The directions of import, what `lint-imports` cannot see of them, what the image is made of, how large things are."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PRODUCTION = [each for each in PROJECT["tool"]["mypy"]["packages"] if each != "tests"]
MODULES = {
    path.relative_to(ROOT): path.read_text(encoding="utf-8")
    for top in PRODUCTION
    for path in (ROOT / top).rglob("*.py")
}
Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = {
    (str(path), node.name, node.lineno): node
    for path, source in MODULES.items()
    for node in ast.walk(ast.parse(source))
    if isinstance(node, Function)
}
MAX_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS, MAX_IN_A_ROW = 300, 60, 6, 14
MANY_PARAMETERS = 10
"""So many functions may have more parameters: commands with their options, and what is built once."""


def test_the_web_process_loads_no_torch() -> None:
    code = "import sys, app.main; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_imports_run_in_the_directions_of_the_design() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run([lint, "--no-cache"], cwd=ROOT, timeout=120, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout


def test_only_what_builds_a_network_loads_the_libraries_of_networks() -> None:
    heavy = {"diffusers", "lpips", "open_clip", "peft", "torchmetrics", "torchvision", "transformers"}
    code = f"import sys, worker.photo_jobs, worker.finetune.jobs; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_the_image_is_built_of_every_package_and_nothing_is_kept_from_it() -> None:
    packages = {each.rstrip("*") for each in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = re.findall(r"^COPY (\w+) \1$", (ROOT / "docker/Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    sent = re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(copied) == set(sent) - {"LICENSE"} == packages


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    assert [str(path) for path, source in MODULES.items() if source.count("\n") > MAX_LINES] == []


def test_no_function_is_either() -> None:
    lines = {where: (node.end_lineno or node.lineno) - node.lineno + 1 for where, node in FUNCTIONS.items()}
    assert len(lines) > 500
    assert [where for where, count in lines.items() if count > MAX_FUNCTION_LINES] == []


def test_few_functions_have_many_parameters() -> None:
    counts = {where: len(parameters_of(node.args)) for where, node in FUNCTIONS.items()}
    assert len([where for where, count in counts.items() if count > MAX_PARAMETERS]) <= MANY_PARAMETERS


def parameters_of(arguments: ast.arguments) -> list[ast.arg]:
    """All of them, `self` included."""
    rest = [each for each in (arguments.vararg, arguments.kwarg) if each]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *rest]


def test_no_folder_is_a_long_flat_row() -> None:
    rows = Counter(path.parent for path in MODULES if path.stem != "__init__")
    assert [str(folder) for folder, count in rows.items() if count > MAX_IN_A_ROW] == []
