"""Sources of ratings: a module for each family of them, and the reading, checking and caching they share."""
