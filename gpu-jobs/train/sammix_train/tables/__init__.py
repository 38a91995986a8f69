"""An experiment: the paper's comparison table. Nothing that ships imports it."""
