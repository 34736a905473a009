"""Data sets of Kinect v1."""
