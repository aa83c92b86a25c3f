"""Quantities in and out of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.units import (
    format_count,
    format_duration,
    format_number,
    format_ratio,
    parse_duration_s,
    parse_instant,
    parse_ratio,
)


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        ("10s", 10.0),
        ("600ms", 0.6),
        ("1m30s", 90.0),
        ("1m 30s", 90.0),
        ("2h", 7200.0),
        ("1.5m", 90.0),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("70", 70.0),  # Locust reads a bare number as seconds, and so do we
        ("0s", 0.0),
        ("1d", 86400.0),
    ],
)
def test_durations_are_read(text: str, duration_s: float) -> None:
    assert pytest.approx(duration_s) == parse_duration_s(text)


@pytest.mark.parametrize("text", ["", "abc", "10 parsecs", "-5s", "s", "10s!", "1m-30s", "nan", "inf", "1e3"])
def test_other_texts_are_refused_by_the_name_of_the_option(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_duration_s(text, name="--interval")
    assert f"option '--interval': not a duration, got {text!r}, need a form such as 600ms, 10s or 1m30s" == str(
        refusal.value
    )


@pytest.mark.parametrize(("text", "ratio"), [("5%", 0.05), ("0.05", 0.05), ("100 %", 1.0), ("0", 0.0), ("1", 1.0)])
def test_ratios_are_read(text: str, ratio: float) -> None:
    assert pytest.approx(ratio) == parse_ratio(text)


@pytest.mark.parametrize("text", ["5", "-1%", "101%", "x", "", "nan", "%"])
def test_ratios_outside_0_to_1_are_refused(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"option '--target-error-ratio': not a ratio, got .*, need 0..1 or 0%..100%"
    ):
        parse_ratio(text, name="--target-error-ratio")


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (None, "?"),
        (float("nan"), "?"),
        (float("inf"), "∞"),
        (0.0, "0 ms"),
        (0.0000125, "12.5 µs"),
        (0.00421, "4.21 ms"),
        (0.0421, "42.1 ms"),
        (0.0099999, "10.0 ms"),
        (0.6, "600 ms"),
        (1.5, "1.50 s"),
        (70.0, "70.0 s"),
        (130.0, "2m10s"),
        (3723.0, "1h02m"),
    ],
)
def test_durations_are_written_with_three_digits(duration_s: float | None, text: str) -> None:
    assert text == format_duration(duration_s)


@given(st.floats(min_value=1e-3, max_value=99.0))
def test_a_written_duration_reads_back_within_its_three_digits(duration_s: float) -> None:
    assert pytest.approx(duration_s, rel=5.1e-3) == parse_duration_s(format_duration(duration_s))


def test_unknown_is_a_question_mark_and_never_zero() -> None:
    assert ("?", "?", "?") == (format_ratio(None), format_number(None), format_count(None))


def test_ratios_numbers_and_counts_are_written() -> None:
    assert ("0.993 %", "100 %", "0 %") == (format_ratio(0.00993), format_ratio(1.0), format_ratio(0.0))
    assert ("5.00", "0.100", "1,234,567") == (format_number(5.0), format_number(0.1), format_count(1_234_567))


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-23T08:30:00Z", "2026-11-23T08:30:00+00:00"),
        ("2026-11-23T08:30:00+02:00", "2026-11-23T06:30:00+00:00"),
        (" 2026-11-23 ", "2026-11-23T00:00:00+00:00"),
    ],
)
def test_instants_are_read_as_utc(text: str, utc: str) -> None:
    assert utc == parse_instant(text, name="--at").isoformat()


@pytest.mark.parametrize("text", ["", "teatime", "2026-13-01", "0001-01-01T00:00:00+05:00"])
def test_what_is_no_instant_is_named(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_instant(text, name="--at")
    said = f"option '--at': not a time, got {text!r}, need ISO 8601 such as 2026-11-23T08:30:00Z"
    assert said == str(refusal.value)
