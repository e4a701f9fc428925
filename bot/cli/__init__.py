"""The command line: arguments in, one printer, exit codes out."""
