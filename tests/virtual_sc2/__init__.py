"""A virtual PCO camera in place of the vendor's C libraries: the unmodified package `pco` runs on it."""
