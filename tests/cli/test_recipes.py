"""A recipe is the commands it stands for: printed by them, checked like them, and with the same bytes as their result."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from omni_ray import api, interrupts
from omni_ray.cli import running
from omni_ray.cli.commands import app
from omni_ray.cli.steps import ORDER, options_of, steps
from omni_ray.export.folder import MARK
from omni_ray.recipe import RECORD, RecipeError, digest, read_recipe

ROOT = typer.main.get_command(app)
PROJECT = Path(__file__).parents[2]


def call(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def command(name: str) -> Any:
    found: Any = ROOT
    for word in name.split():
        found = found.commands[word]
    return found


def parsed(name: str, words: list[str]) -> dict[str, Any]:
    return dict(command(name).make_context(name, list(words)).params)


def tried(name: str, param: Any) -> list[str]:
    """Something that an option takes, whatever it is: choices and limits are asked, the rest is tried."""
    if getattr(param, "is_flag", False):
        return [param.opts[0]]
    choices = [str(getattr(each, "value", each)) for each in param.type_descriptor.choices or ()]
    for text in choices or ("-y", "no", "77", "0.5", "a=b,c=d"):
        try:
            param.process_value(typer.Context(command(name)), (text, text) if param.multiple else text)
        except typer.BadParameter:
            continue
        times = 2 if param.multiple else 1
        return [f"{param.opts[0]}={text}"] * times
    raise AssertionError(f"{name}: nothing fits {param.name}")


EVERY = [(name, key) for name in ORDER for key in options_of(command(name))]


@pytest.mark.parametrize(("name", "key"), EVERY, ids=[f"{name} {key}" for name, key in EVERY])
def test_every_option_of_every_command_goes_through_a_recipe(
    name: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "omni_ray.cli.steps._check", lambda *_, **__: None
    )  # strangers together: here it is about words
    param = options_of(command(name))[key]
    needed = {
        "prepare": ["images"],
        "export hf": ["-d"],
        "export webdataset": ["-d"],
        "export mds": ["-d"],
        "export files": ["-d"],
    }.get(name, [])
    words = [] if param.param_type_name == "argument" else tried(name, param)
    arguments = needed or (["x"] if key == "names" else ["text"] if param.param_type_name == "argument" else [])
    words += ["--", *arguments] if arguments else []
    code, printed, _ = call(*name.split(), "--recipe", *words)
    assert code == 0
    file = tmp_path / "recipe.yaml"
    file.write_text(printed, "utf-8")
    (step,) = steps(read_recipe(file), ROOT)
    assert step.command == name
    assert parsed(name, list(step.arguments)) == parsed(name, words)


def recipe(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "recipe.yaml"
    file.write_text(text, "utf-8")
    return file


def lines_of(file: Path, *changes: str) -> list[str]:
    return [str(step) for step in steps(read_recipe(file, changes), ROOT)]


def test_sections_run_in_the_order_of_the_data_and_share_where_they_run(tmp_path: Path) -> None:
    file = recipe(
        tmp_path,
        "export: {hf: {dir: out}}\nreport:\nverify: true\nplan: off\ncombine: {holdout: 0.1}\n"
        "prepare:\n- {modality: text, dataset: books}\n- {modality: images, size: 64, cpus: 1}\n"
        "where: {root: there, cpus: 8, gpus: 1, cpus_per_task: 2}\n",
    )
    assert lines_of(file) == [
        "omni-ray prepare --dataset=books --root=there --cpus=8 --cpus-per-task=2.0 -- text".replace("2.0", "2"),
        "omni-ray prepare --size=64 --root=there --cpus=1 --cpus-per-task=2 --gpus=1 -- images",
        "omni-ray combine --holdout=0.1 --root=there --cpus=8 --cpus-per-task=2",
        "omni-ray verify --root=there --cpus=8 --cpus-per-task=2",
        "omni-ray report --root=there --cpus=8 --cpus-per-task=2",
        "omni-ray export hf --root=there --cpus=8 --cpus-per-task=2 -- out",
    ]


def test_values_are_what_is_written(tmp_path: Path) -> None:
    """YAML's own ideas of ``no``, of dates and of numbers would change what was meant."""
    file = recipe(
        tmp_path,
        "prepare:\n  modality: [audio]\n  language: [no, on]\n  name: 007\n  combine: yes\n  reset: no\n  max_samples: 1_000\n"
        "  columns: {text: sentence, audio: 3}\n  split: 2020-01-01\n"
        "clean: {rule: {words: on, length: [0.5, 30], symbols: off}}\n",
    )
    assert lines_of(file) == [
        "omni-ray prepare --split=2020-01-01 --language=no --language=on --columns=text=sentence,audio=3 --name=007 "
        "--combine --max-samples=1_000 -- audio",
        "omni-ray clean --rule=words=on --rule=length=0.5..30 --rule=symbols=off",
    ]


def test_what_is_wrong_is_said_at_once_with_file_line_and_key(tmp_path: Path) -> None:
    file = recipe(
        tmp_path,
        "where: {cpu: 2}\nprepare:\n- modality: video\n- modality: text\n  max_sample: 5\n  max_samples: many\n"
        "- dataset: books\n- modality: text\n  combine: perhaps\n- modality: text\n  size: 64\n- modality: text\n"
        "  dataset: boks\ntrain: {}\nreport: {out: s3://b/page.html}\nplan: soon\nexport: {tfrecord: {dir: x}}\n"
        "clean: {preset: [off, strict]}\n",
    )
    code, said, errors = call("run", str(file))
    assert code == 2 and said == "" and "Traceback" not in errors
    found = errors.splitlines()
    assert all(line.startswith(f"omni-ray: {file}:") for line in found)
    told = {line.removeprefix(f"omni-ray: {file}:").partition(": ")[0]: line for line in found}
    assert sorted(map(int, told)) == [1, 3, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18]
    for line, words in {
        "1": "where has no cpu; did you mean cpus?", "3": "modality", "5": "max_sample; did you mean max_samples?",
        "6": "max_samples: many: ", "7": "needs modality", "9": "combine: true or false", "10": "--size is for images",
        "12": "did you mean books?", "14": "train is no section", "15": "a file of this machine", "17": "export has no tfrecord",
        "18": "preset: one value",
    }.items():  # fmt: skip
        assert words in told[line], told[line]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prepare: {modality: text\n", "2: is not YAML"),
        ("a: 1\nprepare:\n\t- x\n", "3: is not YAML"),
        ("- prepare\n", "1: a recipe is sections"),
        ("plan: {vram: 8}\nverify:\nplan: {vram: 12}\n", "3: plan is there twice, first at"),
        ("plan: &p {vram: 8}\nverify: *p\n", "anchors and aliases"),
        ("? [a, b]\n: c\n", "1: a key must be a word"),
        ("plan: \x07\n", "1: is not YAML"),
        ("a: " + "[" * 1000 + "]" * 1000, "nested too deeply"),
        ("", "there is nothing to run"),
        ("where: {cpus: 2}\n", "there is nothing to run"),
    ],
)
def test_a_broken_recipe_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = recipe(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        steps(read_recipe(file), ROOT)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{file}:") and said in problem


def test_set_changes_one_entry_or_all_or_leaves_a_section_out(tmp_path: Path) -> None:
    file = recipe(tmp_path, "prepare:\n- {modality: text}\n- {modality: ocr, max_samples: 7}\nreport:\nverify:\n")
    changed = lines_of(
        file, "prepare.max_samples=5", "prepare.1.source=[s3://a, s3://b]", "report=false", "verify.sample=9"
    )
    assert changed == [
        "omni-ray prepare --max-samples=5 -- text",
        "omni-ray prepare --source=s3://a --source=s3://b --max-samples=5 -- ocr",
        "omni-ray verify --sample=9",
    ]
    for change, said in {
        "prepare.9.name=x": "--set prepare.9.name=x: there is no entry 9",
        "prepare": "--set prepare: write key=value",
        "prepare.0.nme=x": "--set prepare.0.nme=x: prepare has no nme; did you mean name?",
    }.items():
        with pytest.raises(RecipeError, match=said.replace(".", r"\.")):
            lines_of(file, change)
    with pytest.raises(RecipeError, match=r"the list at .*recipe.yaml:1 is empty"):
        lines_of(recipe(tmp_path, "prepare: []\n"), "prepare.name=x")


def test_a_source_that_is_not_there_is_said_before_anything_runs_unless_the_recipe_makes_it(tmp_path: Path) -> None:
    text = f"prepare:\n- {{modality: text, source: {tmp_path}}}\n- modality: text\n  source: {tmp_path}/nonesuch\n"
    with pytest.raises(RecipeError, match=r"recipe.yaml:3: prepare: .*/nonesuch: no such file or folder"):
        lines_of(recipe(tmp_path, text))
    assert len(lines_of(recipe(tmp_path, text + f"synth: {{native: {tmp_path}}}\n"))) == 3


def test_the_hash_is_of_what_is_made(tmp_path: Path) -> None:
    a = digest(read_recipe(recipe(tmp_path, "where: {cpus: 2}\nprepare: {modality: text, name: a}\n")))
    b = digest(read_recipe(recipe(tmp_path, "# the same\nprepare:\n  name: a\n  modality: text\n")))
    c = digest(read_recipe(recipe(tmp_path, "prepare:\n  name: b\n  modality: text\n")))
    assert a == b != c


def everything(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file() and ".omni" not in path.parts]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path != root / RECORD and path.name != MARK  # which the project signs
    }


def hash_of(number: int) -> str:
    """Words that no other number has."""
    digits = hashlib.sha256(str(number).encode()).hexdigest()
    return " ".join(digits[start : start + 4] for start in range(0, 40, 4))


@pytest.mark.slow
def test_a_recipe_makes_the_same_bytes_as_the_flags(no_ray: None, tmp_path: Path) -> None:
    for name, word in {"one": "river", "two": "mountain"}.items():
        (tmp_path / f"{name}.txt").write_text("".join(f"A {word} {hash_of(i)}.\n" for i in range(80)), "utf-8")
    flags, recipes = tmp_path / "flags" / "project", tmp_path / "recipe" / "project"
    lines = [
        f"prepare text --dataset text_files --source {tmp_path}/one.txt --name one --max-samples 50",
        f"prepare text --dataset text_files --source {tmp_path}/two.txt --name two",
        "clean text --preset default",
        "combine --holdout 0.1 --seed 7 --weight one=0.3 --target-tokens two=400",
        "verify",
        "export hf OUT",
    ]
    for line in lines:
        done = call(*shlex.split(line.replace("OUT", f"{flags}/out")), "--root", str(flags))
        assert done[0] == 0, (line, done)
    file = recipe(
        tmp_path,
        "prepare:\n"
        f"- {{modality: text, dataset: text_files, source: {tmp_path}/one.txt, name: one, max_samples: 50}}\n"
        f"- {{modality: text, dataset: text_files, source: {tmp_path}/two.txt, name: two}}\n"
        "clean: {modality: text, preset: default}\ncombine:\n  {holdout: 0.1, seed: 7, weight: {one: 0.3}, target_tokens: {two: 400}}\nverify:\n"
        f"export: {{hf: {{dir: {recipes}/out}}}}\n",
    )
    code, said, _ = call("run", str(file), "--root", str(recipes), "--json")
    told = json.loads(said)
    assert code == 0 and [each["exit_code"] for each in told["steps"]] == [0] * 6
    assert everything(flags) == everything(recipes)
    assert told["recipe"] in (recipes / RECORD).read_text("utf-8")
    code, said, _ = call("run", str(file), "--root", str(recipes))
    assert code == 0 and said.count("nothing to do") >= 4, "a second run finds all of it there"


def test_what_falls_short_is_said_at_the_end(no_ray: None, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"good line\n" + bytes([0xFF, 0xFE, 0x00]) * 3)
    (tmp_path / "bad.csv").write_text("text\n" + "\n" * 3, "utf-8")
    (tmp_path / "good.txt").write_text("A line that is good.\n", "utf-8")
    file = recipe(
        tmp_path,
        "prepare:\n"
        f"- {{modality: text, dataset: text_files, source: {tmp_path}/bad.txt, name: bad, max_quarantine: 0}}\n"
        f"- {{modality: text, dataset: text_files, source: {tmp_path}/good.txt, name: good}}\n",
    )
    code, said, errors = call("run", str(file), "--root", str(tmp_path / "project"))
    assert code == 1 and "text/good" in said
    assert errors.splitlines()[-1].startswith("falls short: omni-ray prepare") and "name=bad" in errors.splitlines()[-1]


@pytest.mark.parametrize("file", sorted((PROJECT / "configs/recipes").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_recipes_that_come_along_are_right(file: Path) -> None:
    assert lines_of(file)[-1].startswith(("omni-ray report", "omni-ray export"))


def test_the_recipe_of_the_page_is_right(tmp_path: Path) -> None:
    page = (PROJECT / "docs/recipes.md").read_text("utf-8")
    file = recipe(tmp_path, page.split("```yaml\n", 1)[1].split("```", 1)[0].replace("/data/", f"{tmp_path}/"))
    for name in ("enwiki-latest-pages-articles.xml.bz2", "talks-2023", "talks-2024"):
        (tmp_path / name).mkdir()
    assert len(lines_of(file)) == 8


def test_an_interrupt_ends_the_whole_run_with_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "combine", interrupted)
    monkeypatch.setattr(
        sys, "argv", ["omni-ray", "run", str(recipe(tmp_path, "combine:\n")), "--root", str(tmp_path), "-q"]
    )
    with pytest.raises(SystemExit) as ended:
        running.run(app)
    assert (ended.value.code, capfd.readouterr().err) == (130, f"omni-ray: {interrupts.SENTENCE}\n")
