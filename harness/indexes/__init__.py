"""
Which index serves which statement: the plans of SQLite and PostgreSQL as one tree, and the audit over them.

::

    statement ─▶ EXPLAIN ─▶ Plan ─┐
    catalogue ─▶ IndexDefinition ─┴▶ serving (pure) ─▶ IndexEvidence
"""
