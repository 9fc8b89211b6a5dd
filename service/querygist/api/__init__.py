"""HTTP in, HTTP out: routes, middleware, errors as problems, the server and its end."""
