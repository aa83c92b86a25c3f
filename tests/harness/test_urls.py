"""Nothing secret of a database URL reaches a person, wherever in the URL it stands."""

import pytest
from sqlalchemy import URL, make_url

from harness.backend.database import check_url
from harness.errors import HarnessError, UsageError
from harness.indexes.opening import open_database
from harness.urls import check_escaped, safe_url, without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://u:geheim@h:1/x", "postgresql+psycopg://u:***@h:1/x"),
        ("postgresql+psycopg://u@h:1/x?password=geheim", "postgresql+psycopg://u@h:1/x"),
        ("postgresql://u@h/x?sslpassword=geheim&passfile=geheim&sslmode=require", "postgresql://u@h/x"),
        ("sqlite:////tmp/a@b.db?geheim=1", "sqlite:////tmp/a@b.db"),
        ("sqlite:///ein Ordner/x.db", "sqlite:///ein Ordner/x.db"),
        ("sqlite://", "sqlite://"),
        ("mysql://u:geheim@h/x?passwd=geheim", "mysql://u:***@h/x"),
    ],
)
def test_a_url_is_shown_without_its_password_and_query(url: str, shown: str) -> None:
    assert shown == safe_url(make_url(url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:geheim@h/x", "***, *** and sslmode"),
        ("postgresql://u:ge@h/x?sslpassword=geheim", "***, *** and sslmode"),
        ("postgresql://u@h/x?passfile=geheim&passfile=sslmode", "***, *** and ***"),
        ("postgresql://u@h/x?sslmode=sslmode", "geheim, geheim and sslmode"),
        ("postgresql://u:@h/x?password=", "geheim, geheim and sslmode"),
    ],
)
def test_a_message_loses_every_secret_of_the_url_and_nothing_else(url: str, said: str) -> None:
    assert said == without_secrets("geheim, geheim and sslmode", make_url(url))


def test_a_secret_is_masked_as_it_is_and_as_it_stands_in_the_url() -> None:
    url = make_url("postgresql://u:a%40%2Fb@h/x")
    assert "*** *** ***" == without_secrets("a@/b a%40%2Fb a%40/b", url)


CUT = [
    "postgresql+psycopg://u:ge@heim@127.0.0.1/x",
    "postgresql+psycopg://u:ge@heim@127.0.0.1:1/x",
    "postgresql+psycopg://u:ge@he/im@127.0.0.1/x",
    "postgresql+psycopg://u:ge@he?im@127.0.0.1/x",
    "postgresql+psycopg://u:ge@he?im=1@127.0.0.1/x",
    "mysql://u:ge@heim@127.0.0.1/x",
]


@pytest.mark.parametrize("url", CUT)
def test_a_password_with_an_unescaped_character_is_refused_without_a_word_of_it(url: str) -> None:
    for read in (check_url, lambda text: open_database(text).__enter__()):
        with pytest.raises(UsageError) as caught:
            read(url)
        assert (
            "option '--database-url': the password has an unescaped character; "
            "try writing it percent-encoded, such as %40 for @"
        ) == str(caught.value)


def test_a_url_made_of_parts_is_judged_by_its_parts() -> None:
    parts = URL.create("postgresql", username="u", password="a@b", host="h", database="x")
    check_escaped(parts, parts)
    with pytest.raises(UsageError):
        check_escaped(parts, parts.set(host="a@h"))


@pytest.mark.parametrize("url", ["postgresql://u:a%40b@h/x", "sqlite:////tmp/a@b@c.db"])
def test_an_escaped_password_and_a_path_with_such_signs_are_fine(url: str) -> None:
    check_escaped(url, make_url(url))


def test_the_audit_shows_no_secret_of_the_query() -> None:
    with (
        pytest.raises(HarnessError) as caught,
        open_database("postgresql+psycopg://u@127.0.0.1:1/x?password=geheim"),
    ):
        pass
    assert str(caught.value).startswith("database 'postgresql+psycopg://u@127.0.0.1:1/x': can't be read: ")
    assert "geheim" not in str(caught.value)
