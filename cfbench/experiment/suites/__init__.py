"""Suites that ship with cfbench itself."""
