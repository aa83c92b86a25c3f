"""What a report is made of: its records, where they come from, and how they are shown."""
