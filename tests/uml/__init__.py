"""A guest with a kernel of its own, for what a machine's kernel lacks: `run` starts one, CONTRIBUTING.md says how."""
