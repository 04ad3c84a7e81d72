"""Data shipped inside the package, each file with its licence."""
