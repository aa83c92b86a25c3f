"""What the monitoring layer costs, measured beside its peers."""
