"""The gates test themselves: known faults are put into the bundled master, and exactly the right gates trip."""
