"""Tests of the installed draive, whichever it is; `./dev test --draive VERSION` runs them."""
