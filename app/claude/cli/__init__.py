"""One `claude`: the executable, its process, its protocol, and what it tells of login and plan."""
