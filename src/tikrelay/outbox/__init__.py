"""TikTok events kept on disk until TikTok has answered."""
