"""The runs of a session: frames go from a camera through the writer into its files, with marks and rows."""
