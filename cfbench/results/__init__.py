"""Results: records become summaries and comparisons, and published claims are verified."""
