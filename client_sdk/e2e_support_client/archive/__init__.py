"""Tickets that leave: written into one file that anybody can read, and verify without network (protocol 5.11)."""
