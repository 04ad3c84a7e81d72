"""Analysis of a fitted model: numbers from its embeddings, views of it, recommendations by it."""
