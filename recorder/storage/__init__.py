"""The file: laid out, written on one thread, read back. The one door to h5py."""
