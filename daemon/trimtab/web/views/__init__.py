"""What people and programs may see of the daemon, as values, and the port through which it is asked for."""
