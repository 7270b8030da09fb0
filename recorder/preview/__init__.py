"""What the operator sees of the frames, without ever holding up their recording."""
