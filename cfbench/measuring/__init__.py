"""From a cell's raw answers to its record."""
