"""Where mailboxes, rosters and the state of blobs are kept."""
