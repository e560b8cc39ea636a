"""`hjemmevakt demo`: everything at once on one machine, to be seen and tried.

    start.py       servers, database, gateway, town; what goes wrong is a line; Ctrl-C ends all of it, at every moment
    tell.py        progress, and what is printed when it runs
    stage.py       what the demo's pages ask of the demo; one click signs somebody in
    happen.py      what can be made to happen, and the devices that say it
    day.py         a day in which something is going on
    colleagues.py  simulated staff in the other zones

Rules
    Nothing is faked: what happens is said by a simulated device over MQTT, and goes the way of every message. What takes
    time takes it; some devices here have short contracts, and one rule's night is always.
    The pages of :mod:`gateway.web.demo` are mounted by this process and by no other.
"""
