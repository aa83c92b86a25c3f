"""What lets us in: read from the environment, shown to nobody."""

from pathlib import Path

import pytest

from harness.credentials import NO_ACCESS, Access, is_loopback, read_access
from harness.errors import HarnessError, UsageError

SECRETS = {"HARNESS_TOKEN": "s3cret-token", "STAGING_KEY": "s3cret-key"}


def access(host: str | None = "https://staging.example", *header_env: str, **options: object) -> Access:
    return read_access(host=host, header_env=header_env, environment=SECRETS, **options)


def test_the_token_and_the_named_headers_are_sent() -> None:
    assert (
        "Authorization: Bearer s3cret-token\r\nX-Api-Key: s3cret-key\r\n"
        == access("https://staging.example", "X-Api-Key=STAGING_KEY").header_lines()
    )


def test_the_embedded_target_is_shown_nothing() -> None:
    assert NO_ACCESS == access(None)


def test_nothing_of_a_secret_shows() -> None:
    """Neither the record's own text nor what people are shown holds a value."""
    shown = access("https://staging.example", "X-Api-Key=STAGING_KEY")
    assert "s3cret" not in repr(shown)
    assert ("Authorization: Bearer ***", "X-Api-Key: ***") == shown.masked()
    assert ("Authorization", "X-Api-Key") == shown.header_names


@pytest.mark.parametrize(
    "host", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80", "https://a.example"]
)
def test_secrets_may_go_over_tls_and_within_this_machine(host: str) -> None:
    assert ("Authorization",) == access(host).header_names


def test_a_token_over_plain_http_is_refused_unless_it_was_asked_for() -> None:
    with pytest.raises(UsageError) as refusal:
        access("http://staging.example:8080")
    assert (
        "option '--host': Authorization would go over plain http, readable on the way, "
        "got http://staging.example:8080, need an https URL; "
        "try https://staging.example:8080, or --insecure-token on a network of your own"
    ) == str(refusal.value)
    assert ("Authorization",) == access("http://staging.example:8080", insecure_token=True).header_names


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        # somebody typed the secret itself: it is not repeated
        (
            "X-Api-Key: s3cret-key",
            "option '--header-env': not a header and a variable, need X-Api-Key=STAGING_KEY",
        ),
        ("X-Api-Key=s3cret-key", "option '--header-env': not a header and a variable, need X-Api-Key=STAGING_KEY"),
        ("Host=STAGING_KEY", "option '--header-env': a header of our own, got Host, need another"),
        (
            "X-Api-Key=NO_SUCH",
            (
                "option '--header-env': the header's variable is empty or not set; "
                "try setting the variable, or the other way round: --header-env NAME=VARIABLE"
            ),
        ),
        ("Authorization=STAGING_KEY", "header 'authorization': given twice; try one --header-env, or the token"),
    ],
)
def test_headers_that_can_not_be_sent_are_refused(entry: str, text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        access("https://staging.example", entry)
    assert text == str(refusal.value)


def test_a_token_that_would_forge_a_header_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as refusal:
        read_access(host="https://staging.example", environment={"HARNESS_TOKEN": "s3cret\r\nX-Admin: yes"})
    assert "secret 'HARNESS_TOKEN': holds a line break or a character that no header can carry" == str(
        refusal.value
    )


def test_a_file_of_authorities_that_is_none_is_said(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    with pytest.raises(HarnessError) as refusal:
        access("https://staging.example", ca_file=empty)
    assert f"option '--ca-file': holds no certificate in PEM form, got {empty}, need a PEM file" == str(
        refusal.value
    )
    with pytest.raises(HarnessError) as refusal:
        access("https://staging.example", ca_file=tmp_path / "gone.pem")
    assert f"option '--ca-file': No such file or directory, got {tmp_path / 'gone.pem'}, need a PEM file" == str(
        refusal.value
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("a.b", False),
    ],
)
def test_this_machine_is_told_from_others(host: str, expected: bool) -> None:  # noqa: FBT001  # a table's column
    assert expected == is_loopback(host)
