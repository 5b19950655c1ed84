"""Where the steps become one program: settings, processes, sockets, and the way from a request to its receipt."""
