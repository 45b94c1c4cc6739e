"""What runs: auth, staff, projections, audit, notify, and the `twofold` command."""
