"""The console: pages for people, drawn on the server. Asks the same reads and gives the same commands as REST."""
