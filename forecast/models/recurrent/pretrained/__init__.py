"""A network that is trained on simulated processes alone: the processes, its inputs and its training.

The package has no weights yet, and no forecaster uses the network.
"""
