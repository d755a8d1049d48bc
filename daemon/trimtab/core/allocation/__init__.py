"""Stage 8, allocate: accelerators and money shared by the whole fleet. Claims in, grants out, pure."""
