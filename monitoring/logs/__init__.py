"""The log files: lines as bytes, written by several processes into files they rotate together, and read back."""
