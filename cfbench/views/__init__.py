"""What ``cfbench inspect`` shows of a fitted model: one view a file, each tables and pictures of one question."""
