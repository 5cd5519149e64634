"""A relay in memory: `relay.MemoryRelay` stands wherever a `RelayPort` does."""
