"""Example data for an empty broker: a shop of eight applications, and thirty days of its builds and deployments."""

from treaty.example_data.seeding import add_example_data

__all__ = ["add_example_data"]
