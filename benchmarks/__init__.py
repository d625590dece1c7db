"""Measurements as ratios in one run, on one machine; `make bench` prints a table and fails when a limit is missed."""
