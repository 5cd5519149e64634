"""One thin function per route: decode, call the service, encode."""
