"""Load prices (samples, files, Yahoo), validate them, and build a `Panel` and its target."""
