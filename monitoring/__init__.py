"""Monitoring for a FastAPI + SQLAlchemy service, installed in one line."""
