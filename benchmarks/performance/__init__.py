"""The specification's performance targets, measured; judged by `benchmarks/gates.toml`."""
