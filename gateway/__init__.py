"""The shell: every clock, socket, file and query of hjemmevakt is here."""
