"""Views that ``cfbench inspect`` shows of a fitted model: tables and plots of one question each."""
