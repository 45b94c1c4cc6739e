"""What both services' web sides share: problem details, plumbing, strict bodies."""
