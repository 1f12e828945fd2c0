"""A HAL client for any Pact Broker: connection settings, retries, links and errors with a hint."""

from treaty.client.broker import BrokerClient, HttpSend, check_links
from treaty.client.connection import BrokerConnection, RetryPolicy, Tls
from treaty.client.hal import HalResource, Json, Query, ResourceLink, encode_query

__all__ = [
    "BrokerClient",
    "BrokerConnection",
    "HalResource",
    "HttpSend",
    "Json",
    "Query",
    "ResourceLink",
    "RetryPolicy",
    "Tls",
    "check_links",
    "encode_query",
]
