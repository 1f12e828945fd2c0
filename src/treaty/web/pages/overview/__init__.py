"""Pages of the overview, a pair of applications, the network, the search, and the API explorer."""
