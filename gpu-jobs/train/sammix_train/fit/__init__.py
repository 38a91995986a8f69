"""From a few labels to a bundle: what `sammix train` runs, with settings that need no choosing."""
