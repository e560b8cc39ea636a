"""A trial: simulated homes and simulated staff at full speed, the real gateway in controlled time, and a verdict.

    town     a municipality in an empty database; its devices are what ``simulators.field`` lives
    crew     staff who see pages, wait as ``simulators.staff`` says, and answer through the front
    week     the loop: let devices speak, let the gateway do what is due, let people answer, move the clock
    expect   what a true event, a missed dose or a silence must lead to (pure)
    explain  what led to an alert, or may have (pure)
    verdict  whether an invariant broke, and where (pure, over what is stored)
    tell     tables
    run      the servers, and all of it together

The truth is the script's: nothing that the gateway has stored is believed because it is stored.
"""
