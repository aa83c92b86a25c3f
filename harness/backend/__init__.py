"""
The reference deployment master: the embedded target, and the worked example of adding the monitoring layer.

::

    server.py ─▶ app.py ─▶ routes.py ─▶ database.py ─▶ queries.py, models.py
    seed.py ─▶ population.py (which rows) ─▶ filling.py (how they get in)
    schema.py ─▶ migrations/

`server` and `seed` hold the commands; both are light to import, and load the rest when they run.
"""
