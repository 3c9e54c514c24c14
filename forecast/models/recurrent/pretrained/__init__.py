"""A network that is trained on simulated series alone: the processes, its inputs, its training and its forecasts."""
