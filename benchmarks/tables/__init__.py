"""The tables, one module each with `run(options)`."""
