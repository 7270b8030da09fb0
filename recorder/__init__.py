"""Record a PCO camera: every frame on disk, in order, or told exactly which are missing and why.

    camera thread   camera.read_into(slot) fills blocks of a pool     camera/, frames/
    event loop      channels carry spans, commands act on a session   session/, control/, frontends/
    storage thread  pixels, then rows, then flush                     storage/

A block is lent, never copied; the pool is the only bound on memory; the index row is the commit record;
what the camera counted and the file lacks stands in the ledger of losses.
"""

__version__ = "0.1.0"
