"""Where a verdict goes besides the terminal: what is asked for, what comes by itself, what can't be written."""

import argparse
import io
import json
import os
from pathlib import Path

import pytest

from harness.ci.options import OutputOptions, add_output_arguments, read_output_options
from harness.ci.outputs import write_outputs
from harness.errors import HarnessError, UsageError
from harness.report.judged import judged_result
from harness.report.markdown import SUMMARY_LIMIT_BYTES
from tests.harness.report.judgements import of_every_kind
from tests.harness.results import fleet, result_of

IN_GITHUB = {"GITHUB_ACTIONS": "true"}


def read(*arguments: str, environment: dict[str, str] | None = None) -> OutputOptions:
    parser = argparse.ArgumentParser()
    add_output_arguments(parser)
    return read_output_options(parser.parse_args(arguments), environment or {})


def test_nothing_is_written_unless_asked_for() -> None:
    errors = io.StringIO()
    assert OutputOptions() == read()
    assert None is write_outputs(read(), of_every_kind(), errors)
    assert "" == errors.getvalue()


def test_github_gets_annotations_and_a_summary_by_itself_and_they_can_be_switched_off(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    environment = IN_GITHUB | {"GITHUB_STEP_SUMMARY": str(summary)}
    assert OutputOptions(annotations=True, step_summary=summary) == read(environment=environment)
    off = read("--no-annotations", "--no-step-summary", environment=environment)
    assert OutputOptions() == off
    assert OutputOptions(step_summary=summary) == read(environment={"GITHUB_STEP_SUMMARY": str(summary)})
    assert OutputOptions(annotations=True) == read("--annotations")
    assert OutputOptions() == read(environment={"GITHUB_ACTIONS": "false", "GITHUB_STEP_SUMMARY": ""})


def test_every_file_is_written_and_folders_are_made(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "down"
    options = read(
        *("--junit", f"{folder}/junit.xml", "--markdown", f"{folder}/comment.md"),
        *("--github-benchmark", f"{folder}/bench.json", "--openmetrics", f"{folder}/metrics.txt"),
        *("--badge", f"{folder}/badge.svg"),
    )
    assert None is write_outputs(options, judged_result(result_of(fleet())), io.StringIO())
    names = {"junit.xml", "comment.md", "bench.json", "bench-bigger.json", "metrics.txt", "badge.svg"}
    assert names == {path.name for path in folder.iterdir()}
    assert 1 == len(json.loads((folder / "bench-bigger.json").read_text()))


def test_one_file_that_fails_keeps_no_other_back(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    junit, badge = tmp_path / "file" / "junit.xml", tmp_path / "badge.svg"
    fault = write_outputs(OutputOptions(junit=junit, badge=badge), of_every_kind(), io.StringIO())
    assert str(fault).startswith(f"file '{junit}': can't be written: ")
    assert badge.exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (".", "option '--junit': a folder, got {0}, need a file in it"),
        ("pipe", "option '--junit': not a file, got {0}/pipe, need a path that is free"),
        (
            "file/x.xml",
            "option '--junit': '{0}/file' is no folder, got {0}/file/x.xml, need a folder that you can",
        ),
        ("x" * 300, "option '--junit': can't be written: File name too long, got '{0}/xxx"),
    ],
)
def test_a_place_that_no_file_can_be_made_at_is_refused_before_the_load(
    tmp_path: Path, value: str, text: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError) as refusal:
        read("--junit", str(tmp_path / value) if value != "." else str(tmp_path))
    assert str(refusal.value).startswith(text.format(tmp_path))


@pytest.mark.parametrize("other", ["a.json", "sub/../a.json", "link", "a-bigger.json"])
def test_two_names_of_one_file_are_refused_too(tmp_path: Path, other: str) -> None:
    """A link, a way round, and the second file that the figures of which more is better go into."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a.json")
    with pytest.raises(
        UsageError, match=r"option '--github-benchmark': the file of --junit, got .*, need its own"
    ):
        read("--github-benchmark", str(tmp_path / "a.json"), "--junit", str(tmp_path / other))


def test_two_outputs_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"option '--badge': the file of --junit, got .*/x, need its own file"):
        read("--junit", f"{tmp_path}/x", "--badge", f"{tmp_path}/x")


def test_a_summary_that_nobody_reads_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\$GITHUB_STEP_SUMMARY is not set.*; try --markdown FILE"):
        read("--step-summary")


def test_the_summary_is_appended_to_what_stands_there(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    assert None is write_outputs(OutputOptions(step_summary=summary), of_every_kind(), io.StringIO())
    assert summary.read_text().startswith("before\n\n## FAIL: agent-polling\n")


def test_the_summary_never_grows_beyond_what_github_takes(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * (SUMMARY_LIMIT_BYTES - 400))
    errors = io.StringIO()
    write_outputs(OutputOptions(step_summary=summary), of_every_kind(), errors)
    assert summary.stat().st_size <= SUMMARY_LIMIT_BYTES
    assert "The rest was cut" in summary.read_text()
    write_outputs(OutputOptions(step_summary=summary), of_every_kind(), errors)
    assert summary.stat().st_size <= SUMMARY_LIMIT_BYTES
    assert (
        "variable '$GITHUB_STEP_SUMMARY': its file is full, so the step summary is not written"
        in errors.getvalue()
    )


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("nowhere/summary.md", "the step summary can't be written: No such file or directory"),
        (".", "not a file, so the step summary is not written"),
        ("pipe", "not a file, so the step summary is not written"),
    ],
)
def test_a_summary_that_points_nowhere_is_warned_of_and_changes_nothing(
    tmp_path: Path, place: str, text: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    errors = io.StringIO()
    options = OutputOptions(step_summary=tmp_path / place, annotations=True)
    assert None is write_outputs(options, of_every_kind(), errors)
    warning, *annotations = errors.getvalue().splitlines()
    assert warning.startswith(f"harness: variable '$GITHUB_STEP_SUMMARY': {text}, got ")
    assert 5 == len(annotations)


def test_a_closed_standard_error_is_no_fault(tmp_path: Path) -> None:
    options = OutputOptions(step_summary=tmp_path / "no" / "where", annotations=True)
    assert None is write_outputs(options, of_every_kind(), None)
