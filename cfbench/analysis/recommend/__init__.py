"""Recommendations for one user of a finished run, or for a new user."""
