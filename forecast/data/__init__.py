"""Load prices (samples, files, Yahoo), check them, and turn them into a `Panel` and its target."""
