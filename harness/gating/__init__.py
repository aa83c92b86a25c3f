"""Gates without load: over a stored run, and over pytest-benchmark's JSON."""
