"""The faces of a session, prompt to web page: lines go in, figures and pictures come out."""
