"""The promises of the store contract as checks, grouped by who relies on them."""
