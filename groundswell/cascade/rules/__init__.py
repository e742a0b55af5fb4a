"""What follows from each kind of event: a function an event, None where it does not fit the state. Pure."""
