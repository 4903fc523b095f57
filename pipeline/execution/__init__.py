"""How a stage is run: inputs, plan, tasks, engines, commit, provenance."""
