"""The relay: stores and forwards sealed mailboxes that it cannot read."""
