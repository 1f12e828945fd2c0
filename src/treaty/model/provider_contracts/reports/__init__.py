"""Reports of the tools that test a provider against its own contract: the operations that they have exercised."""
