"""Exponential smoothing and the Theta method."""
