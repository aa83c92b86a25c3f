"""The folder of a run that fails: kept when it holds samples, else gone."""

from pathlib import Path

import pytest

from harness.run import run_directory


def stop_in(out: Path, samples: bytes | None) -> None:
    with run_directory(out) as directory:
        if samples is not None:
            directory.samples.write_bytes(samples)
        raise KeyboardInterrupt


@pytest.mark.parametrize(("samples", "kept"), [(b'{"schema_version":1}\n', 1), (b"", 0), (None, 0)])
def test_only_what_can_be_judged_is_kept(
    samples: bytes | None, kept: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The load makes its file before it writes the first line, and may be stopped in between."""
    out = tmp_path / "runs"
    with pytest.raises(KeyboardInterrupt):
        stop_in(out, samples)
    found = list(out.glob("*.partial"))
    assert (kept, bool(kept)) == (len(found), out.exists())
    said = [f"harness: what the run had is kept; judge it with: harness report {folder}\n" for folder in found]
    assert "".join(said) == capsys.readouterr().err
