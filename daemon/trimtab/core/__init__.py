"""What is decided. Pure: no I/O, no clock, no asyncio, no logging, no globals."""
