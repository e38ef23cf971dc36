"""When Python's garbage collector runs in a service. Knows nothing of what is collected."""

import gc


def collect_seldom() -> None:
    """Collect garbage seldom: the caches hold many objects without cycles, and going over them stops the world.

    With the defaults one create in a hundred took 170-290 ms under load, with these 45-65 ms (decision 6).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
