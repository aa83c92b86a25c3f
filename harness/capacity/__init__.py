"""
`harness capacity`: the largest fleet that meets the gates.

::

    search (pure: which fleet next, and the bracket so far) ◀─▶ job (a run each) ─▶ Capacity ─▶ render, chart
"""
