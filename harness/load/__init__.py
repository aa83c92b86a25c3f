"""The load: agents that poll on their own schedule, and what they leave behind. Imports nothing by itself."""
