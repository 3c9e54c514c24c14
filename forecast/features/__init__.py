"""Causal inputs computed from the rows up to each row, and the training examples made of them."""
