"""The relay's rules, one module per thing they are about; no HTTP and no SQL."""
