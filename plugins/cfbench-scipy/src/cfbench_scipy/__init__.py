"""Recommenders out of scipy's sparse linear algebra."""
