"""Data that ship inside the package, each file with its licence."""
