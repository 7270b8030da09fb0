"""The page on recordings in files, finished or growing: `recorder view`. See `viewer.Viewer`."""
