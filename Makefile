# Two commands are enough: `make demo` and `make test`. Both set themselves up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DEMO ?= demo

.PHONY: demo test check docs bench clean

.venv/core: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fundoscope needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/test: .venv/core
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

.venv/torch: .venv/test # what the tests of training need; they skip without it
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0 onnx scikit-learn \
		'transformers>=5.17,<6' accelerate peft safetensors sentencepiece
	@touch $@

.venv/docs: .venv/core
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

demo: .venv/core ## the main job on drawn phantoms, or: make demo PHOTOS=DIR LABELS=FILE
	$(BIN)/fundoscope demo --output $(DEMO) $(if $(PHOTOS),--photographs '$(PHOTOS)') $(if $(LABELS),--labels '$(LABELS)')

test: check ## everything that must hold
	$(BIN)/pytest -n auto

check: .venv/test ## style, types, and data flowing one way
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/pytest --quiet tests/test_one_way.py

docs: .venv/docs ## the documentation site, in site/
	$(BIN)/mkdocs build --strict --quiet

bench: .venv/test ## the figures of docs/benchmarks.md, quickly; `python benchmarks/NAME.py --help` for more
	$(BIN)/python benchmarks/composer.py
	$(BIN)/python benchmarks/variety.py
	$(BIN)/python benchmarks/odir.py

clean:
	rm -rf .venv site demo
