"""What a simulation is run on."""
