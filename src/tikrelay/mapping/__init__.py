"""An event becomes a TikTok event, or is dropped for a reason; pure functions and tables."""
