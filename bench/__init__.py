"""Measures the relay and the client on one machine; ``README.md`` beside this file says what the numbers mean."""
