"""One kernel for a GPU that draws, decides and counts, a trial a thread."""
