"""The daemon: supervisor, controller loop, trigger, actuator, shutdown."""
