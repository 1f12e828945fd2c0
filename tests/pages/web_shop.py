"""The versions of an application, web-shop, and the title of its page."""

HEAD = "fad5fb01d2f3a4b5c6d7e8f90a1b2c3d4e5f6071"
NEWEST = "0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192"
PRICES = "99cbebc0a1b2c3d4e5f60718293a4b5c6d7e8f90"
PAGE = "/pacticipants/web-shop"


def title(page):
    return page.answer.text.partition("<title>")[2].partition("</title>")[0]
