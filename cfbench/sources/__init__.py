"""Where ratings come from: one module per family of sources, and the reading, checking and caching they share."""
