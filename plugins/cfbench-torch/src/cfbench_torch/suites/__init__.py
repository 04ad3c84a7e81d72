"""The suites that this distribution ships."""
