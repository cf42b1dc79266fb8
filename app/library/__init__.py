"""The built-in protocols and clinic rules, as data; a service loads them."""
