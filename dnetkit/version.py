"""The version of this dnetkit; a module of its own, so that whoever tells it need not import what stands above."""

__all__ = ["__version__"]

__version__ = "0.1.0"
