"""YAML that people write: nothing of it is dropped without a word."""

import os
from pathlib import Path

import pytest

from credit_ct_dagster.yaml_files import UnusableYamlError, read_yaml

_TWICE = """\
ops:
  champion_model: {config: {approval: required}}
  tuned_runs: {config: {preset: quality}}
  champion_model:
    config: {margin: 0.1}
"""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (_TWICE, "cannot be used: 'champion_model' is there twice, in line 2 and in line 4"),
        ('a: 1\n"a": 2', "cannot be used: 'a' is there twice, in line 1 and in line 2"),
        ("- - a: {b: 1,\n b: 1}", "cannot be used: 'b' is there twice, in line 1 and in line 2"),
        ("a: 1\non: 2", "cannot be used: the name in line 2 must be text: put it in quotes"),
        ("1: a", "the name in line 1 must be text"),
        ("? [a]\n: b", "the name in line 1 must be text"),
        ("a: [", "is not YAML: .*line 1"),
        ("a: 2025-02-30", "is not YAML: day is out of range"),
        ("a: !!bool maybe", "is not YAML"),
        ("a: !!timestamp x", "is not YAML"),
        ("a: !!python/name:os.system", "is not YAML: could not determine a constructor"),
        ("a: 1\n---\na: 2", "is not YAML: expected a single document"),
        ("[" * 10_000, "is not YAML"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a: Müller".encode("latin-1"), r"is not UTF-8 \(line 1\): save it"),
        ("# a\nb: 1".encode("utf-16"), r"is not UTF-8 \(line 1\): save it"),
        (b"a: 1\nb: \x81", r"is not UTF-8 \(line 2\): save it"),
    ],
)
def test_what_cannot_be_used_is_refused(content: str | bytes, problem: str, tmp_path: Path) -> None:
    """With the line: the loader of PyYAML takes the last of two values, and goes on."""
    path = tmp_path / "run.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UnusableYamlError, match=f"^.*{problem}"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("\ufeffa: Müller", {"a": "Müller"}),
        ("a: &a {b: 1, c: 1}\nd: {<<: *a, c: 2}", {"a": {"b": 1, "c": 1}, "d": {"b": 1, "c": 2}}),
        ("a: &a {b: 1}\nc: {<<: *a}\nd: &d {<<: *a, b: 2}\ne: {<<: *d, b: 3}\nf: *d",
         {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 2}, "e": {"b": 3}, "f": {"b": 2}}),
        ("a: {b: 1}\nc: {b: 1}", {"a": {"b": 1}, "c": {"b": 1}}),
        ("# nothing", None),
    ],
)  # fmt: skip
def test_what_is_meant_is_read(content: str, found: object, tmp_path: Path) -> None:
    """With the mark that Windows puts before UTF-8; what overrides a merged value is no repeat."""
    path = tmp_path / "run.yaml"
    path.write_text(content, encoding="utf-8")
    assert read_yaml(path) == found


def test_the_null_device_has_nothing(tmp_path: Path) -> None:
    """As the stack mounts it where there is no file; a folder and an absent file are named."""
    assert read_yaml(Path(os.devnull)) is None
    with pytest.raises(UnusableYamlError, match=r"cannot be read \(Is a directory"):
        read_yaml(tmp_path)
    with pytest.raises(UnusableYamlError, match=r"cannot be read \(No such file"):
        read_yaml(tmp_path / "none.yaml")
