"""What is shown of the daemon, made of its parts and of the journal; it changes none of them."""
