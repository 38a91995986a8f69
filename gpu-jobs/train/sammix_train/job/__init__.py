"""Training as a job at a site."""
