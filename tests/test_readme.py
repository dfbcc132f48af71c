"""README and docs tell what was measured."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "docs/results.md").read_text()
FIGURES = json.loads((ROOT / "docs/measurements/mini.json").read_text())
EVALUATION = json.loads((ROOT / "docs/measurements/evaluation.json").read_text())
AGAIN = json.loads((ROOT / "docs/measurements/evaluation_seed1.json").read_text())
LORA = json.loads((ROOT / "docs/measurements/lora_versus_full.json").read_text())
NOISE = json.loads((ROOT / "docs/measurements/noise.json").read_text())


def test_the_tables_hold_the_measured_figures() -> None:
    for name, row in FIGURES["recognisers"].items():
        assert f"| {name} | {row['tar_at_far_0.01']:.3f} | {row['tar_at_far_0.001']:.3f} |" in RESULTS
    assert f"finds {FIGURES['detector']['recall']:.3f} of {FIGURES['detector']['photos']} " in RESULTS
    assert f"by {-100 * FIGURES['removal']['change']:.0f} % " in RESULTS
    assert f"`{FIGURES['commit']}`" in RESULTS


def test_the_table_of_methods_holds_what_the_evaluation_found() -> None:
    for line in EVALUATION["summary"] + NOISE["summary"]:
        shares = [line["asr"][name][0] for name in ("ir152", "irse50", "facenet", "mobile_face")]
        shares += [line["mean"][0], line["asr"]["vit"][0], line["own_match"]]
        cells = " | ".join(f"{100 * share:.1f}" for share in shares)
        assert f"| {cells} | {line['psnr_db']:.1f} dB | {line['ssim']:.3f} |" in RESULTS, line["method"]
    assert f"commit `{EVALUATION['commit']}`" in RESULTS
    assert f"commit `{NOISE['commit']}`" in RESULTS
    assert {key: NOISE[key] for key in ("faces", "seed", "dataset")} == {
        key: EVALUATION[key] for key in ("faces", "seed", "dataset")
    }


def test_the_lead_over_noise_is_the_one_between_the_two_measurements() -> None:
    (ours,) = [line for line in EVALUATION["summary"] if line["method"] == "diffam"]
    best = max(NOISE["summary"], key=lambda line: line["mean"][0])
    assert f"{best['title']}, stays {100 * (ours['mean'][0] - best['mean'][0]):.1f} points behind" in RESULTS
    assert ours["ssim"] >= best["ssim"]


def test_the_second_hundred_people_are_told_as_they_were_measured() -> None:
    told = " ".join(RESULTS.split())
    rows = {line["method"]: line for line in AGAIN["summary"]}
    ours = rows["diffam"]
    shares = ", ".join(f"{name} {100 * ours['asr'][name][0]:.1f}" for name in ours["asr"])
    assert f"mean {100 * ours['mean'][0]:.1f}, {shares}; owner known {100 * ours['own_match']:.1f};" in told
    after = {name: 100 * share[0] for name, share in ours["treatments"].items()}
    assert f"after JPEG 75 {after['jpeg75']:.1f}, off centre {after['recrop']:.1f};" in told
    controls = {name: 100 * rows[name]["mean"][0] for name in ("nothing", "makeup", "wrong_identity", "tint")}
    assert (
        "no protection {nothing:.1f}, make-up only {makeup:.1f}, wrong identity {wrong_identity:.1f}".format(**controls)
        in told
    )
    assert f"colour tint {controls['tint']:.1f}." in told
    assert (AGAIN["seed"], AGAIN["commit"]) == (1, LORA["commit"])


def test_lora_is_told_beside_all_weights() -> None:
    told = " ".join(RESULTS.split())
    full, lora = LORA["full"]["asr"], LORA["lora"]["asr"]
    assert f"{100 * full['facenet']:.0f} % instead of {100 * lora['facenet']:.0f} % by the held-out facenet" in told
    assert f"{100 * full['vit']:.0f} % instead of {100 * lora['vit']:.0f} % by vit" in told
    assert min(LORA["lora_keeps"].values()) >= 0.9
    assert LORA["lora"]["megabytes"] <= 1.2


def test_what_any_photo_costs_and_which_faces_are_found_is_told_as_measured() -> None:
    told = " ".join(RESULTS.split())
    costs, faces = (
        json.loads((ROOT / f"docs/measurements/{name}.json").read_text()) for name in ("any_photo", "faces")
    )
    assert f"costs {costs['ratio_12_to_1']:.2f} times" in told
    assert f"needs {costs['peak_gigabytes_50_megapixels']:.2f} GB over the loaded models" in told
    assert f"finds {faces['recall']:.3f} of {faces['faces']} faces" in told
    assert faces["precision"] == 1
    assert all(f"commit `{measured['commit']}`" in told for measured in (costs, faces))


def test_the_readme_is_short_and_its_figures_are_those_that_were_measured() -> None:
    told = " ".join(README.split())
    rows = {line["method"]: line for line in EVALUATION["summary"]}
    best = max(NOISE["summary"], key=lambda line: line["mean"][0])
    share = {name: 100 * rows[name]["mean"][0] for name in ("nothing", "diffam")}
    assert f"in {share['diffam']:.1f} % of the cases (no protection {share['nothing']:.1f} %, " in told
    assert f"best noise attack {100 * best['mean'][0]:.1f} %)" in told
    assert f"still know the owner in {100 * rows['diffam']['own_match']:.1f} %" in told
    assert f"PSNR {rows['diffam']['psnr_db']:.1f} dB, SSIM {rows['diffam']['ssim']:.3f}" in told
    assert f"commit `{EVALUATION['commit']}`" in told
    assert README.count("\n") <= 120


def test_what_real_recognisers_still_know_is_told_as_measured() -> None:
    told = " ".join(README.split())
    owners = {}
    for people, faces in (("london", 50), ("lfw", 100)):
        measured = _measured(people)
        rows = {line["method"]: line for line in measured["summary"]}
        assert min(rows[name]["mean"][0] for name in ("nothing", "makeup")) > 0.98
        assert (measured["faces"], measured["seed"], measured["bundle"]) == (faces, 0, "portrait")
        assert f"commit `{measured['commit']}`" in told
        owners[people] = rows["diffam"]
    london, lfw = owners["london"], owners["lfw"]
    assert f"known in {100 * london['mean'][0]:.1f} % of the cases at FAR .01" in told
    likeness = f"{london['ssim']:.3f}".removeprefix("0")
    assert f"at {london['psnr_db']:.1f} dB, SSIM {likeness}; LFW's" in told
    others = _measured("lfw_seed1")
    (row,) = others["summary"]
    assert (others["faces"], others["seed"], others["bundle"]) == (20, 1, "portrait")
    fills = f"fills, in {100 * lfw['mean'][0]:.1f} %, at {lfw['psnr_db']:.1f} dB"
    assert f"{fills} (twenty drawn anew: {100 * row['mean'][0]:.1f} %)" in told
    sface = [100 * row["own_match_by"]["sface"][0] for row in (london, lfw)]
    assert f"SFace holds out longest: {sface[0]:.0f} % and {sface[1]:.0f} %" in told
    asked = {"method": "diffam", "role": "held_out", "query": "protected", "gallery": "bare"}
    searches = [row for row in _measured("london")["identification"] if asked.items() <= row.items()]
    first = sum(row["rank_1"] for row in searches) / len(searches)
    assert f"A search among {searches[0]['persons']} people names {100 * first:.1f} % of the owners first" in told


def _measured(what: str) -> Any:
    return json.loads((ROOT / f"docs/measurements/portrait_{what}.json").read_text())


def test_noise_on_real_people_is_told_as_measured() -> None:
    told = " ".join(README.split())
    measured = _measured("noise")
    assert (measured["faces"], measured["seed"], measured["bundle"]) == (4, 0, "portrait")
    share = {line["method"]: line["mean"][0] for line in measured["summary"]}
    noise = ("pgd", "mi_fgsm", "ti_dim", "tip_im")
    assert {share[name] for name in noise} == {1.0}
    least = min(share[f"{name}_psnr"] for name in noise)
    assert f"left {100 * least:.1f} % or more known at our PSNR; we left {100 * share['diffam']:.1f} %" in told


def test_how_soon_a_photo_is_accepted_was_measured_and_keeps_its_bound() -> None:
    measured = json.loads((ROOT / "docs/measurements/accept.json").read_text())
    told = " ".join(RESULTS.split("## How soon a photo is accepted")[1].split("\n## ")[0].split())
    soon = {name: each["service"]["p95_ms"] for name, each in measured["one_by_one"].items()}
    assert soon["jpeg_3_megapixels"] <= 150
    assert f"commit `{measured['commit']}`" in told
    assert f"JPEG of 1 MB with 3 megapixels {soon['jpeg_3_megapixels']:.0f} ms" in told
    assert f"WebP of .6 MB with 3 megapixels {soon['webp_3_megapixels']:.0f} ms" in told
    assert f"JPEG of .9 MB with 12 megapixels {soon['jpeg_12_megapixels']:.0f} ms" in told
    crowd = measured["all_at_once"]["service"]
    assert (measured["clients"], crowd["answers"]["202"], crowd["failures"]) == (200, 200, {})
    assert f"after {crowd['answers']['503']} answers of 503 with `Retry-After`" in told
