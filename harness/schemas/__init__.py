"""The published JSON schemas of what `harness` writes, made from the records; `harness schema` prints them."""
