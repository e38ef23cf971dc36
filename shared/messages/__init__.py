"""The wire, once: commits, their codec, subjects and headers. Knows neither the broker nor any service."""
