"""Plots of a result, and its report as one HTML file."""
