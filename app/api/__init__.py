"""HTTP: routes, wire models, problem documents and the edge; calls services, never persistence."""
