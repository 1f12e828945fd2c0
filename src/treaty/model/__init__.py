"""Pact's nouns and the rules about them: plain Python, without database, clock or HTTP."""
