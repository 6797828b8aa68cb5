"""Collecting a study: which blocks of trials to count next, and on what."""
