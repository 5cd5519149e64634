"""The pure core of end-to-end encrypted support tickets: bytes in, verified events out."""
