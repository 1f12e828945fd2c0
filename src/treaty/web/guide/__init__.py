"""The guide: the pages of `docs/`, rendered for browsers and searched, without the internet."""
