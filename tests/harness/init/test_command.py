"""`harness init` writes a gate file once, and asks nothing."""

import os

import pytest

from harness.cli import main
from harness.gatefiles import STARTER_FILE, choose_gates


def test_it_writes_the_targets_and_refuses_to_overwrite(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert 0 == main(["init"])
    printed = capsys.readouterr().out
    assert "gates.toml holds the targets of the specification; harness run judges by it from now on\n" == printed
    assert STARTER_FILE == (tmp_path / "gates.toml").read_text(encoding="utf-8")
    assert "gates.toml (8 gates)" == choose_gates(interval_s=10.0).source
    (tmp_path / "gates.toml").write_text("mine", encoding="utf-8")
    assert 2 == main(["init"])
    said = capsys.readouterr().err
    assert "harness: file 'gates.toml': is there already; try --force to overwrite it, or --out FILE\n" == said
    assert "mine" == (tmp_path / "gates.toml").read_text(encoding="utf-8")
    assert 0 == main(["init", "--force"])
    assert STARTER_FILE == (tmp_path / "gates.toml").read_text(encoding="utf-8")


def test_what_is_no_file_is_never_replaced_even_by_force(tmp_path, capsys):
    """As root, `--out /dev/null --force` would take the device from everybody. A pipe stands in for it."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        assert 1 == main(["init", "--out", str(path), "--force"])
        said = f"harness: file '{path}': is no regular file, need a path that is free, or a file\n"
        assert ("", said) == capsys.readouterr()
    assert pipe.is_fifo()
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        (".", (2, "is a folder; try --out with the name of a file")),
        ("none/gates.toml", (1, "can't be written: No such file or directory")),
    ],
)
def test_where_it_can_not_write_it_says_why(tmp_path, monkeypatch, capsys, out, expected):
    monkeypatch.chdir(tmp_path)
    code, said = expected
    assert code == main(["init", "--out", out])
    assert said in capsys.readouterr().err
