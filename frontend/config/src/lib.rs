//! The frontend's config.yaml: types, defaults, checks.
