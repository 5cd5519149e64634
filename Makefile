# The first Python on the machine; .venv is made from it.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test check fmt bench coverage lock env

demo: env ## see a ticket travel from a user to an administrator and back
	@$(BIN)/python examples/demo.py

test: check ## every check and every test; the last lines are pytest's summary
	$(BIN)/pytest -n 2 --cov

check: env ## what needs no test run, fastest first
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/pyright

fmt: env ## let ruff write what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: env ## measure; the numbers are explained in docs/
	@$(BIN)/python -m bench

coverage: ## what the last `make test` reached in every room
	$(BIN)/coverage report --include='*' --fail-under=0

# The lock names no host, so that any mirror serves it (docs/adr/0002-one-lock-file.md).
lock: env ## choose versions anew after a change of dependencies; UPGRADE=--upgrade takes the newest
	$(BIN)/uv pip compile --quiet --universal --python-version=3.11 --generate-hashes --group=dev \
	    --no-header --no-annotate --no-emit-index-url $(UPGRADE) --output-file=requirements.lock \
	    --no-emit-package=e2e-support $(addprefix --no-emit-package=e2e-support-,keys client server console) \
	    pyproject.toml $(addsuffix /pyproject.toml,keys client_sdk server console)

env:
	@$(PYTHON) tools/bootstrap.py
