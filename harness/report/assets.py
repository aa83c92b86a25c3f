"""The templates, style sheets and scripts of the pages, and how a page names the latter to the browser."""

import base64
import functools
import hashlib
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined


@functools.cache
def environment() -> Environment:
    """Return the templates, escaping on."""
    return Environment(
        loader=PackageLoader("harness.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def asset(name: str) -> str:
    """Return a style sheet or a script."""
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return what a content security policy calls an inline style sheet or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
