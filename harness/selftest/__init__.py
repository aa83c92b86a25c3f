"""The gates test themselves: known faults are put into the reference master, and exactly the right gates trip."""
