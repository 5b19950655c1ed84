"""A TikTok on this machine: takes calls as the Events API does, refuses as it does, and fails when told to."""
