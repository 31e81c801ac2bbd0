"""Devices, processes, threads, files written whole, and where numbers come from."""
