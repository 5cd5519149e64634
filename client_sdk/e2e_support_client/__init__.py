"""Lets an application offer end-to-end encrypted support tickets to its users."""
