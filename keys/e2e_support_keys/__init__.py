"""Keeps, recovers and renews the keys that open support tickets."""
