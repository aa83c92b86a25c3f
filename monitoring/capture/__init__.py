"""The way in: requests, statements and connections, seen from outside the service's own code."""
