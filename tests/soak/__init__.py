"""Long tests of real processes: kills, reorganisations, half an hour of rounds."""
