"""One module for each few groups of faults; each has its cases in ``CASES``."""
