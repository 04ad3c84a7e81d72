"""Reports: tables, plots and files for people."""
