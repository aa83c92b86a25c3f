"""
Render a finished run: for the terminal (`terminal`), as one HTML file with plots (`files`).

A part that prints does not measure: everything here starts from a `harness.model.Result` and only shows it.
This package imports nothing heavy by itself; matplotlib is imported by the ``charts*`` modules alone.
"""
