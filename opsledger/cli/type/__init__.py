"""`opsledger type …`: what there is to run, and what an author of operations looks at before installing it."""
