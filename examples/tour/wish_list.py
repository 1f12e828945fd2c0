"""The Wish List: it shows products with their ratings, for which it asks the Reviews service."""

import httpx


def fetch_rating(reviews_url: str, product: int) -> float:
    """Return the average number of stars of a product."""
    answer = httpx.get(f"{reviews_url}/products/{product}/rating")
    answer.raise_for_status()
    return float(answer.json()["stars"])
