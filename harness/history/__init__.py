"""
What became of a metric over many runs: the records of runs, where they are kept, and what is read out of them.

::

    runs, other tools' files ─▶ importers ─▶ HistoryRecord ─▶ store ─▶ series_of ─▶ Series ─▶ change points, charts
                                                                └────▶ exporters ─▶ other tools' files
"""
