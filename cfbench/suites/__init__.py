"""The suites that ship with cfbench itself."""
