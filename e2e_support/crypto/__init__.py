"""Library-backed primitives of suite 1; nothing outside this package touches a raw algorithm."""
