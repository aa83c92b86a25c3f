"""
Two targets, revisions or settings measured in one job, in short rounds and in a random order.

::

    Side A, Side B ─▶ rounds (each one measured leg of A and of B) ─▶ compare_pairs ─▶ AbResult
"""
