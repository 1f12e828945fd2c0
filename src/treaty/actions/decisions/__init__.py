"""Changes of what decisions depend on besides pacts, results and deployments."""
