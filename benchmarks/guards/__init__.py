"""
Guards of our own hot paths: each timed beside a fixed piece of work, round by round, and judged as a ratio.

A ratio stays the same on a fast and a slow machine, and on a busy one, as far as both pieces are of the same kind.
A guard fails when the whole interval of its median ratio lies above the limit: about a third more than it was when
the limit was set. `make guard` runs them, and so does CI.
"""
