"""cfbench compares recommenders fairly: one harness, plugin models, every figure with its uncertainty."""
