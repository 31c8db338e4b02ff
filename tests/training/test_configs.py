"""Configuration files: what is not changed stays, to the byte; what is wrong is said in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.errors import OmniError
from omni_ray.training.configs import NAMES, Config, default, dump, file_name, read
from omni_ray.training.schema import problems

REPOSITORY = Path(__file__).resolve().parents[2]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=6))
def test_dump_is_json_in_the_same_order(value: dict[str, object]) -> None:
    text = dump(value)
    assert json.loads(text) == value
    assert list(json.loads(text)) == list(value)


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_the_repository_s_own(name: str) -> None:
    packaged = REPOSITORY / "omni_ray/training/defaults" / f"{name}_tiny.json"
    assert (REPOSITORY / file_name(name)).read_bytes() == packaged.read_bytes()
    assert problems(name, default(name)) == []
    assert dump(default(name)) + "\n" == packaged.read_text()
    assert default(name)["gradient_accumulation_steps"] == 1


def test_the_defaults_suit_each_other() -> None:
    assert default("vision")["use_thinker_for_text"] is False
    assert default("vision")["thinker_ckpt"] == default("thinker")["save_dir"]
    assert default("omni_sft")["thinker_ckpt"] != default("thinker")["save_dir"]
    assert default("ocr")["checkpoint_freq"] > default("ocr")["max_steps"]
    assert default("omni_sft")["thinker"] == default("vision")["thinker"]
    assert default("omni_sft")["thinker"].items() <= default("thinker").items()


ODD = (
    '{"custom": [1, [2, 3]], "lr": 3e-4,\n "nested": {"é": 1.50, "b": {"c": null}},\t"batch_size": 32, '
    '"big": 12345678901234567890, "note": "a\\tb"}'
)


def write(root: Path, name: str, text: str | bytes) -> Path:
    path = root / file_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_only_what_changes_changes(tmp_path: Path) -> None:
    path = write(tmp_path, "thinker", ODD)
    config = read(tmp_path, "thinker")
    config.set("batch_size", 8, "smaller")
    config.set("nested.b.c", 5, "deep")
    config.set("new", 1, "added")
    assert config.write(tmp_path)
    written = path.read_text()
    assert '"lr": 3e-4,' in written and '"é": 1.50,' in written and '"custom": [1, [2, 3]],' in written
    before, after = json.loads(ODD), json.loads(written)
    before["batch_size"], before["nested"]["b"]["c"], before["new"] = 8, 5, 1
    assert after == before and list(after) == list(before)
    assert path.with_name(path.name + ".bak").read_text() == ODD
    assert [(c.key, c.old, c.new) for c in config.changes] == [
        ("batch_size", 32, 8), ("nested.b.c", None, 5), ("new", None, 1),
    ]  # fmt: skip


def test_what_a_person_wrote_is_kept_and_what_a_plan_wrote_is_not(tmp_path: Path) -> None:
    path = write(tmp_path, "thinker", ODD)
    first = path.with_name(path.name + ".bak")
    first.write_text("an older one")

    def plan(size: int) -> list[str]:
        config = read(tmp_path, "thinker")
        config.set("batch_size", size, "of the data")
        assert config.write(tmp_path)
        return sorted(kept.name for kept in path.parent.glob("*.bak"))

    both = [f"{path.name}.2.bak", f"{path.name}.bak"]
    assert plan(8) == plan(16) == both
    assert first.read_text() == "an older one" and path.with_name(both[0]).read_text() == ODD
    path.write_text(path.read_text().replace('"batch_size": 16', '"batch_size": 17'))
    assert plan(8) == [both[0], f"{path.name}.3.bak", both[1]]
    assert '"batch_size": 17' in path.with_name(f"{path.name}.3.bak").read_text()


def test_nothing_to_change_leaves_the_file_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "thinker", ODD)
    config = read(tmp_path, "thinker")
    config.set("batch_size", 32, "as it is")
    assert not config.write(tmp_path) and config.diff() == ""
    assert path.read_text() == ODD and not path.with_name(path.name + ".bak").exists()


def test_the_diff_can_be_read(tmp_path: Path) -> None:
    write(tmp_path, "thinker", dump(default("thinker")) + "\n")
    config = read(tmp_path, "thinker")
    config.set("batch_size", 4, "smaller")
    lines = config.diff().splitlines()
    assert lines[0] == "--- configs/thinker_tiny.json"
    assert [line for line in lines[2:] if line[0] in "+-"] == ['-  "batch_size": 8,', '+  "batch_size": 4,']


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ('{"a": 1,}', "not valid JSON"),
        ("[1]", "no object at its top"),
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ('{"lr": NaN}', "NaN is not a JSON number"),
        ("\ufeff{}", "byte order mark"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "not valid JSON"),
        (" " * 2_000_000, "not a training configuration"),
    ],
)
def test_broken_files(tmp_path: Path, text: str | bytes, said: str) -> None:
    write(tmp_path, "ocr", text)
    with pytest.raises(OmniError, match=said) as raised:
        read(tmp_path, "ocr")
    assert str(raised.value).startswith("configs/ocr_tiny.json: ")
    assert "\n" not in str(raised.value)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "configs/ocr_tiny.json").mkdir(parents=True)
    with pytest.raises(OmniError, match="is a directory"):
        read(tmp_path, "ocr")


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("thinker", {"d_model": "256"}, "d_model is '256', not a whole number of 1 or more"),
        ("thinker", {"d_model": 250}, "d_model 250 is not divisible by n_heads 4"),
        ("thinker", {"d_model": 12}, "rotary positions need an even width"),
        ("thinker", {"n_heads": 5, "d_model": 320}, "n_heads 5 cannot share 2 key/value heads evenly"),
        ("thinker", {"n_layers": 0}, "n_layers is '0', not a whole number of 1 or more"),
        ("thinker", {"n_layers": True}, "n_layers is 'True'"),
        ("thinker", {"n_layers": None}, "n_layers is 'None'"),
        ("thinker", {"use_gqa": "yes"}, "use_gqa is 'yes', not true or false"),
        ("thinker", {"val_split": 1.0}, "val_split is '1.0', not a number from 0 to less than 1"),
        ("thinker", {"save_dir": ""}, "save_dir is '', not a path"),
        ("thinker", {"use_moe": True, "num_experts": 1}, "num_experts_per_tok 2 is more than num_experts 1"),
        ("audio_enc", {"mel_bins": 80}, "mel_bins is 80; the models are built for 128"),
        ("audio_enc", {"downsample_time": 3}, "downsample_time is 3; the encoder can be 2, 4 or 8"),
        ("thinker", {"dropout": 7}, "dropout is '7', not a number from 0 to less than 1"),
        ("vision", {"thinker": {"dropout": None}}, "thinker.dropout is 'None'"),
        ("talker", {"lr": "x"}, "lr is 'x', not a number above 0"),
        ("ocr", {"wd": None}, "wd is 'None', not a number of 0 or more"),
        ("omni_sft", {"print_freq": 0}, "print_freq is '0', not a whole number of 1 or more"),
        ("thinker", {"ctx_len": 1}, "ctx_len is '1', not a whole number of 2 or more"),
        ("thinker", {"train_text": "data/\ud800.txt"}, "not a path"),
        ("vocoder", {"discriminator_update_interval": 0}, "discriminator_update_interval is '0'"),
        ("audio_enc", {"d_model": 200}, "d_model 200 is not divisible by n_heads 3"),
        ("talker", {"n_mels": 80}, "n_mels is 80"),
        ("talker", {"codebooks": 1}, "two streams"),
        ("vision", {"patch": 500}, "img_size 224 is smaller than patch 500"),
        ("vision", {"thinker": []}, "thinker is '[]', not an object"),
        (
            "omni_sft",
            {"thinker": {"d_model": 100, "n_heads": 3}},
            "thinker.d_model 100 is not divisible by thinker.n_heads 3",
        ),
        ("omni_sft", {"sft_mix": {"text_path": 3}}, "sft_mix.text_path is '3', not a path"),
        ("ocr", {"decoder_d_model": 255}, "decoder_d_model 255 is not divisible by decoder_heads 4"),
        ("ocr", {"vision_heads": 3}, "vision_d_model 128 is not divisible by vision_heads 3"),
        ("ocr", {"use_gqa": True, "decoder_heads": 7, "decoder_d_model": 70}, "decoder_heads 7 cannot share"),
        ("vocoder", {"hop_length": 200}, "hop_length is 200"),
        ("vocoder", {"resblock_kernel_sizes": [4]}, "not a list of odd whole numbers"),
        ("vocoder", {"resblock_kernel_sizes": [3]}, "differ in length"),
        ("vocoder", {"upsample_initial_channel": 100}, "cannot be halved four times"),
    ],
)
def test_impossible_values(name: str, values: dict[str, object], said: str) -> None:
    found = problems(name, {**default(name), **values})
    assert any(said in sentence for sentence in found), found
    assert all(sentence.startswith(f"configs/{name}_tiny.json: ") for sentence in found)


@pytest.mark.parametrize(
    ("heads", "is_right"), [(1, True), (2, True), (3, True), (4, True), (5, False), (6, True), (7, False)]
)
def test_which_heads_can_be_grouped(heads: int, is_right: bool) -> None:
    values = {**default("thinker"), "n_heads": heads, "d_model": 64 * heads}
    assert (problems("thinker", values) == []) is is_right


@given(st.sampled_from(NAMES), st.data())
def test_no_value_is_too_strange_to_judge(name: str, data: st.DataObject) -> None:
    values = default(name)
    key = data.draw(st.sampled_from(sorted(values)))
    values[key] = data.draw(VALUES)
    assert all("\n" not in sentence for sentence in problems(name, values))


def test_half_a_character_is_written_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path, "thinker", r'{"note": "\ud800", "\udfff": 1, "said": "é"}')
    config = read(tmp_path, "thinker")
    config.set("batch_size", 8, "smaller")
    assert config.write(tmp_path)
    assert json.loads(path.read_text()) == {"note": "\ud800", "\udfff": 1, "said": "é", "batch_size": 8}
    assert '"said": "é"' in path.read_text()


def test_a_dry_look_at_defaults_writes_nothing(tmp_path: Path) -> None:
    config = read(tmp_path, "thinker")
    assert config.is_new and isinstance(config, Config)
    assert config.diff().startswith("--- /dev/null\n+++ configs/thinker_tiny.json")
    assert list(tmp_path.iterdir()) == []
