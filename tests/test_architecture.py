"""The directions of import, which `lint-imports` checks too, and the two promises that it cannot see at run time."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
