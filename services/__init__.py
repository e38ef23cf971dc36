"""The two services: the API, which faces people and producers, and the executor, which touches the world."""
