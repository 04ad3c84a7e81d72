"""Reading and writing files that others may have made, or may read meanwhile."""
