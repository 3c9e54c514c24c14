"""Recurrent networks: configuration, layers, training, inference. Torch is imported in this package only."""
