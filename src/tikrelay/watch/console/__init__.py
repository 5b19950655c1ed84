"""The console: the admin port's pages for people."""
