"""PCO cameras, through the vendor's package `pco`: these modules are the only ones that know it."""
