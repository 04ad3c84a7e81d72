"""What came of cells, and the folder that keeps it."""
