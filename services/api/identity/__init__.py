"""How somebody proves who they are beyond a password: signatures, tokens of an identity provider, limits on trying."""
