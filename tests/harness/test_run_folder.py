"""The folder of a run that fails: kept when it holds samples, else gone."""

from pathlib import Path

import pytest

from harness.run import run_directory


@pytest.mark.parametrize(("samples", "kept"), [(b'{"schema_version":1}\n', 1), (b"", 0), (None, 0)])
def test_only_what_can_be_judged_is_kept(
    samples: bytes | None, kept: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The load makes its file before it writes the first line, and may be stopped in between."""
    out = tmp_path / "runs"
    with pytest.raises(KeyboardInterrupt), run_directory(out) as directory:
        if samples is not None:
            directory.samples.write_bytes(samples)
        raise KeyboardInterrupt
    assert kept == len(list(out.glob("*.partial")))
    assert bool(kept) == out.exists()
    said = f"harness: what the run had is kept; judge it with: harness report {directory.path}\n"
    assert (said if kept else "") == capsys.readouterr().err
