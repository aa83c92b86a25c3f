"""Saying what there is, and what would be done."""
