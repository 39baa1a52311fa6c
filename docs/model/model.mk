# `make model`: the protocol's model, searched by spin (docs/model/syncd.pml). QUICK=1: no deep search.
.PHONY: model
model:
	@docs/model/run.sh build/model
