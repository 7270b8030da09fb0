"""PCO cameras, through the vendor's package `pco`, which only these modules import.

Everything that asks a camera is called on the camera thread and blocks for its answer, about 1 ms or more;
`library` alone is also used on the main thread, by `recorder cameras`.
"""
