"""``python -m harness.schemas``: write the published schemas anew after a record has changed."""

from harness.schemas.kinds import write_schemas

if __name__ == "__main__":
    write_schemas()
