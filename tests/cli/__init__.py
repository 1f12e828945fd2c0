"""The command line, driven against brokers that are not ours."""
