"""The vendor's own pco_recorder library, on a sc2_cam of ours: what its FIFO and its flags really do."""
