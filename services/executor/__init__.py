"""The executor: everything that touches the outside world. Takes work, claims it, runs it, reports. Stateless."""
