"""Records of cells and the run folder that keeps them."""
