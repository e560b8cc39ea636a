"""One resident's data: out in an open format, away, and who looked at it. Of residents only: staff leave by their assignments."""
