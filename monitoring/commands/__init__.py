"""The subcommands of `monitoring`, one module each: ``add_arguments(parser)`` and ``run(arguments) -> int``."""
