"""A virtual PCO camera: stands in for the vendor's C libraries, so that the unmodified package `pco` runs on it."""
