"""What embeddings, titles and counts show: numbers only, drawn and written elsewhere."""
