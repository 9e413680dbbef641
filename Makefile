# Conch. `make run` on a fresh machine is enough; everything lands in .venv and data/ beside this file.
#
#   make run PYTHON=python3.12       with that Python instead of the first one that fits
#   make run ARGS="doctor"           any command of `conch`

SHELL = /bin/sh
.DEFAULT_GOAL = help
.PHONY: help run test test-core test-search check clean browser

ARGS = run
CANDIDATES = $(or $(PYTHON),python3 python3.12 python3.13 python3.11)
PYENV = $(or $(PYENV_ROOT),$(HOME)/.pyenv)
# Two or more at once, each file by one of them: many tests wait for a program that they have started.
PYTEST = pytest -n logical --maxprocesses 4 --dist loadfile
FITS = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# Sets $$python to the first candidate that runs and fits. pyenv has commands that exist without running, so each is
# tried, and then looked for among pyenv's versions.
define find_python
python=; for p in $(CANDIDATES) $(foreach c,$(CANDIDATES),$(wildcard $(PYENV)/versions/3.1[123]*/bin/$(c))); do \
	if "$$p" -c "$(FITS)" >/dev/null 2>&1; then python=$$p; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo "Conch needs Python 3.11, 3.12 or 3.13, and $(CANDIDATES) is none of these: install one (Debian, Ubuntu: sudo apt install python3.12 python3.12-venv, or another of them that it has)." >&2; \
	exit 1; \
fi
endef

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: ## Install what is missing, start Conch and serve its page on http://127.0.0.1:8765
	@$(find_python); "$$python" install.py .venv local
	@exec .venv/bin/python -m bots $(ARGS)

test: check ## Install what the tests need, check style and types, run every test
	@left_out=; sh .ci/browser; case $$? in 0) ;; 1) left_out='not browser';; *) exit 1;; esac; \
	command -v nvidia-smi >/dev/null 2>&1 || left_out="$${left_out:+$$left_out and }not gpu"; \
	exec .venv/bin/python -m $(PYTEST) -m "$$left_out"

check: ## Check style and types
	@$(find_python); "$$python" install.py .venv local dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/mypy install.py

test-core: ## Run every test that needs no torch (PYTHON=python3.12: under that version)
	@$(find_python); \
	folder=.venv-$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	"$$python" install.py "$$folder" dev && exec "$$folder/bin/python" -m $(PYTEST) -m "not torch and not browser and not gpu"

test-search: check ## Look at random, for minutes, for examples that break a property test
	@exec .venv/bin/python -m $(PYTEST) --hypothesis-profile=search -m "hypothesis and not browser and not gpu"

clean: ## Remove what was installed and built; data/ stays
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
