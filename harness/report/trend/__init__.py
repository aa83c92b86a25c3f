"""
Show a trend: as charts, as one page, as text, as files.

One layout, three renderings::

    Trend ─▶ groups ─▶ chart (a Scene: lines, areas, marks and labels at their places)
                          ├─▶ svg        inside the page, themed by its style sheet
                          └─▶ charts_trend   PNG and SVG files, by matplotlib

Where a label stands is decided once, in `chart`, so that what is tested there holds for every rendering; and a
page of two hundred charts needs no two hundred figures.
"""
