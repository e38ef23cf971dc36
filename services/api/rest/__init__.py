"""REST in OCP's envelope: routes, their checks, and how tasks are shown. Decides nothing."""
