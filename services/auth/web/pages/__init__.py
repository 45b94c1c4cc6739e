"""The service's pages: they call the same handlers as the JSON interface."""
