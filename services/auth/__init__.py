"""Login, new passwords, enrolment, sessions."""
