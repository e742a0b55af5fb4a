"""Where builds are written down: Dockerfiles, and the compose, bake and task files that say how they are built."""
