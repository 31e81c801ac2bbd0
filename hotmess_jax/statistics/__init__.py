"""What both halves stand on: estimates with intervals, fits, and how often intervals hold the truth."""
