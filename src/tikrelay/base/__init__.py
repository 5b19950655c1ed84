"""What every step may use: errors, time, secrets, happenings."""
