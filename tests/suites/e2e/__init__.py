"""The scenarios of the suite e2e, by subject."""
