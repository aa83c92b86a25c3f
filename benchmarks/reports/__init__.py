"""How long a report over a day of fifty agents and 60 MB of logs takes."""
