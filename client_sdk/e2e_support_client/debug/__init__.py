"""Debug data: collected only when asked, redacted, shown field by field, and sent exactly as it was shown."""
