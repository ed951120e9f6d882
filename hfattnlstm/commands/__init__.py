"""The command line: one file a subcommand, each a call of one function of the package."""
