"""Causal inputs from the rows up to each row, aligned windows of rows, and training examples."""
